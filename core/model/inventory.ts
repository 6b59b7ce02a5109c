import type { Address } from './address.ts'
import type { EndpointId, HostName, Mac, TenantName, VmUuid } from './ids.ts'

/** What exists, as agents report it and administrators complete it. Absent tenant = not yet claimed: such a VM has no plan and passes nothing. */
export interface Inventory {
  readonly hosts: readonly Host[]
  readonly vms: readonly Vm[]
}

export interface Host {
  readonly name: HostName
}

export interface Vm {
  readonly uuid: VmUuid
  readonly name: string
  readonly host: HostName
  /** Where it is being migrated to: guarded there too, before it comes. Absent = it stays. */
  readonly movingTo?: HostName
  readonly tenant: TenantName | null
  readonly labels: Readonly<Record<string, string>>
  /** Operating system as the host or an administrator tells it, such as `debian 12`; absent = not known. */
  readonly os?: string
  readonly endpoints: readonly Endpoint[]
}

/** One enforced network attachment of a VM. */
export interface Endpoint {
  readonly id: EndpointId
  readonly mac: Mac
  /** The addresses this endpoint may use, IPv4 and IPv6; anything else it sends is forged. Its fe80:: address made from the MAC (EUI-64) is always its own. */
  readonly addresses: readonly Address[]
  /** Virtual network it is plugged into (libvirt network, bridge or port group); absent = not known. */
  readonly segment?: string
}
