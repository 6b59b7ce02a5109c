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
    const without = new Set(gone)
    return before.hosts.map((host) => {
      if (!touched.has(host.name)) return host
      const stayed = host.records.filter((record) => !without.has(record))
      const came = changed.filter((record) => record.vm.host === host.name)
      return toHost(host.name, [...stayed, ...came], taken, classOf)
    })
  }
  const kept = new Map(before?.hosts.flatMap((host) => (touched.has(host.name) ? [] : [[host.name, host] as const])))
  const records = groupByHost(vms, (host) => !kept.has(host))
  const names = [...new Set(inventory.hosts.map((host) => host.name))].sort(compareText)
  return names.map((name) => kept.get(name) ?? toHost(name, records.get(name) ?? [], taken, classOf))
}

/** The same VMs and addresses under another policy: only the classes on each host are others. */
export function reclassifyHosts(
  hosts: readonly ResolvedHost[],
  vms: readonly VmRecord[],
  taken: ReadonlySet<string>,
  classOf: ClassOf,
): readonly ResolvedHost[] {
  const records = groupByHost(vms, () => true)
  return hosts.map((host) => {
    const own = records.get(host.name) ?? []
    return { ...host, records: own, locals: listLocals(own, taken, classOf) }
  })
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
  return {
    name,
    records,
    endpoints,
    tenants: [...new Set(endpoints.map((endpoint) => endpoint.tenant))].sort(compareText),
    locals: listLocals(records, taken, classOf),
  }
}

function listLocals(
  records: readonly VmRecord[],
  taken: ReadonlySet<string>,
  classOf: ClassOf,
): readonly IdentityClass[] {
  const signatures = new Set<ClassSignature>()
  for (const { claims } of records)
    for (const { address, signature } of claims) if (!taken.has(address)) signatures.add(signature)
  return Array.from(signatures, classOf).sort((a, b) => a.identity - b.identity)
}
