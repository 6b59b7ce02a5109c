import type { HostName, Inventory, PlannedEndpoint } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { VmChanges } from './record-vms.ts'
import type { ClassSignature, IdentityClass, ResolvedHost, VmRecord } from './resolved-policy.ts'

type ClassOf = (signature: ClassSignature) => IdentityClass

/** Every host of the inventory with what is enforced there. `before` are hosts that may be kept when no VM of theirs changed. */
export function listHosts(
  inventory: Inventory,
  { byVm, changed, gone }: VmChanges,
  taken: ReadonlySet<string>,
  classOf: ClassOf,
  before: readonly ResolvedHost[],
): readonly ResolvedHost[] {
  const touched = new Set<HostName>([...changed, ...gone].map((record) => record.vm.host))
  const kept = new Map<HostName, ResolvedHost>()
  for (const host of before) {
    if (!touched.has(host.name) && host.locals.every((local) => classOf(local.signature) === local))
      kept.set(host.name, host)
  }
  const recordsByHost = new Map<HostName, VmRecord[]>()
  for (const record of byVm.values()) {
    const { host } = record.vm
    if (kept.has(host)) continue
    const list = recordsByHost.get(host)
    if (list === undefined) recordsByHost.set(host, [record])
    else list.push(record)
  }
  const names = [...new Set(inventory.hosts.map((host) => host.name))].sort(compareText)
  return names.map((name) => kept.get(name) ?? toHost(name, recordsByHost.get(name) ?? [], taken, classOf))
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
