import type { HostName, Inventory, PlannedEndpoint } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { VmChanges } from './record-vms.ts'
import type { IdentityClass, ResolvedHost, ResolvedPolicy, VmRecord } from './resolved-policy.ts'
import type { LeafSet } from './signature-table.ts'

type ClassOf = (set: LeafSet) => IdentityClass

/** Every host of the inventory with what is enforced there. A host of `before` is kept when no VM of it changed: its classes are then the same objects. */
export function listHosts(
  inventory: Inventory,
  { vms, changed, gone }: VmChanges,
  taken: ReadonlySet<string>,
  classOf: ClassOf,
  before: ResolvedPolicy | undefined,
): readonly ResolvedHost[] {
  const touched = new Set<HostName>([...changed, ...gone].flatMap(hostsOf))
  if (before !== undefined && before.inventory.hosts === inventory.hosts) {
    if (touched.size === 0) return before.hosts
    const without = new Set(gone)
    return before.hosts.map((host) => {
      if (!touched.has(host.name)) return host
      const stayed = host.records.filter((record) => !without.has(record))
      const came = changed.filter((record) => hostsOf(record).includes(host.name))
      return toHost(host.name, [...stayed, ...came], taken, classOf)
    })
  }
  const kept = new Map(before?.hosts.flatMap((host) => (touched.has(host.name) ? [] : [[host.name, host] as const])))
  const records = groupByHost(vms, (host) => !kept.has(host))
  const names = [...new Set(inventory.hosts.map((host) => host.name))].sort(compareText)
  return names.map((name) => kept.get(name) ?? toHost(name, records.get(name) ?? [], taken, classOf))
}

/** The same VMs under another policy: what they are stays, only the classes on each host are others. */
export function reclassifyHosts(hosts: readonly ResolvedHost[], classOf: ClassOf): readonly ResolvedHost[] {
  return hosts.map((host) => ({ ...host, locals: toLocals(host.leafSets, classOf) }))
}

/** Where it runs, and where it is about to. */
function hostsOf({ vm }: VmRecord): readonly HostName[] {
  return vm.movingTo === undefined || vm.movingTo === vm.host ? [vm.host] : [vm.host, vm.movingTo]
}

function groupByHost(
  vms: readonly VmRecord[],
  wanted: (host: HostName) => boolean,
): ReadonlyMap<HostName, readonly VmRecord[]> {
  const found = new Map<HostName, VmRecord[]>()
  for (const record of vms) {
    for (const host of hostsOf(record)) {
      if (wanted(host) && found.get(host)?.push(record) === undefined) found.set(host, [record])
    }
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
  const leafSets = listLeafSets(records, taken)
  return {
    name,
    records,
    endpoints,
    tenants: [...new Set(endpoints.map((endpoint) => endpoint.tenant))].sort(compareText),
    leafSets,
    locals: toLocals(leafSets, classOf),
  }
}

function listLeafSets(records: readonly VmRecord[], taken: ReadonlySet<string>): readonly LeafSet[] {
  const sets = new Set<LeafSet>()
  for (const { claims } of records)
    for (const { address, leafSet } of claims) if (!taken.has(address)) sets.add(leafSet)
  return [...sets]
}

function toLocals(sets: readonly LeafSet[], classOf: ClassOf): readonly IdentityClass[] {
  return [...new Set(sets.map(classOf))].sort((a, b) => a.identity - b.identity)
}
