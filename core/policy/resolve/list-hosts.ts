import type { HostName, Inventory, PlannedEndpoint } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { VmChanges } from './record-vms.ts'
import type { ClassSignature, IdentityClass, ResolvedHost, ResolvedPolicy, VmRecord } from './resolved-policy.ts'

type ClassOf = (signature: ClassSignature) => IdentityClass

/** Every host of the inventory with what is enforced there. A host of `before` is kept when no VM of it changed: its classes are then the same objects. */
export function listHosts(
  inventory: Inventory,
  { vms, changed, gone }: VmChanges,
  taken: ReadonlySet<string>,
  classOf: ClassOf,
  before: ResolvedPolicy | undefined,
): readonly ResolvedHost[] {
  const touched = new Set<HostName>([...changed, ...gone].map((record) => record.vm.host))
  if (before !== undefined && before.inventory.hosts === inventory.hosts) {
    if (touched.size === 0) return before.hosts
    const records = groupByHost(vms, (host) => touched.has(host))
    return before.hosts.map((host) =>
      touched.has(host.name) ? toHost(host.name, records.get(host.name) ?? [], taken, classOf) : host,
    )
  }
  const kept = new Map(before?.hosts.flatMap((host) => (touched.has(host.name) ? [] : [[host.name, host] as const])))
  const records = groupByHost(vms, (host) => !kept.has(host))
  const names = [...new Set(inventory.hosts.map((host) => host.name))].sort(compareText)
  return names.map((name) => kept.get(name) ?? toHost(name, records.get(name) ?? [], taken, classOf))
}

function groupByHost(
  vms: readonly VmRecord[],
  wanted: (host: HostName) => boolean,
): ReadonlyMap<HostName, readonly VmRecord[]> {
  const found = new Map<HostName, VmRecord[]>()
  for (const record of vms) {
    const { host } = record.vm
    if (wanted(host) && found.get(host)?.push(record) === undefined) found.set(host, [record])
  }
  return found
}

function toHost(
  name: HostName,
  records: readonly VmRecord[],
  taken: ReadonlySet<string>,
  classOf: ClassOf,
): ResolvedHost {
  const free = (endpoint: PlannedEndpoint): PlannedEndpoint =>
    endpoint.addresses.some((address) => taken.has(address))
      ? { ...endpoint, addresses: endpoint.addresses.filter((address) => !taken.has(address)) }
      : endpoint
  const endpoints = records.flatMap((record) => record.endpoints.map(free)).sort((a, b) => compareText(a.id, b.id))
  const locals = new Set<IdentityClass>()
  for (const { claims } of records) {
    for (const claim of claims) if (!taken.has(claim.address)) locals.add(classOf(claim.signature))
  }
  return {
    name,
    endpoints,
    tenants: [...new Set(endpoints.map((endpoint) => endpoint.tenant))].sort(compareText),
    locals: [...locals].sort((a, b) => a.identity - b.identity),
  }
}
