import { known, type EndpointId, type Mac, type Observed } from '@hyperward/model'

import type { FollowedVm } from './followed-vm.ts'
import type { Tap, TapLink } from './tap.ts'

/** A network device of this host as the kernel has it. */
export interface Link extends TapLink {
  readonly mac: string
}

export interface LinkReader {
  /** null: there is none of that name. */
  read(device: string): Promise<Observed<Link | null>>
}

export interface ResolvedTaps {
  readonly taps: readonly Tap[]
  /** Endpoints whose device does not carry the VM's MAC. */
  readonly unsure: ReadonlySet<EndpointId>
}

/** Unknown when the kernel's devices cannot be read: a device that could not be looked at is not one that is gone. */
export async function toTaps(vms: readonly FollowedVm[], links: LinkReader): Promise<Observed<ResolvedTaps>> {
  const taps: Tap[] = []
  const unsure = new Set<EndpointId>()
  for (const vm of vms) {
    for (const { endpoint, mac, device, unguardable } of vm.nics) {
      const link = device === null ? known(null) : await links.read(device)
      if (!link.known) return link
      if (link.value !== null && !isTapMac(link.value.mac, mac)) unsure.add(endpoint)
      const found =
        link.value === null
          ? null
          : { device: link.value.device, ifindex: link.value.ifindex, segment: link.value.segment }
      taps.push({ endpoint, vm: vm.uuid, vmName: vm.name, claimed: vm.tenant !== null, unguardable, link: found })
    }
  }
  return known({ taps, unsure })
}

/** libvirt: the tap has the guest's MAC with first byte fe (fa where the guest's begins with fe). */
function isTapMac(tapMac: string, guestMac: Mac): boolean {
  return tapMac.slice(2) === guestMac.slice(2) && (tapMac.startsWith('fe:') || tapMac.startsWith('fa:'))
}
