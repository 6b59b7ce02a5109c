/** What there is to select by: label keys, names, operating systems, hosts and segments of the VMs of some tenants. */
import type { Inventory, TenantName, TextCriterion } from '@hyperward/model'

export interface SeenValues {
  readonly keys: ReadonlySet<string>
  readonly texts: Readonly<Record<TextCriterion, ReadonlySet<string>>>
}

interface OpenValues {
  readonly keys: Set<string>
  readonly texts: Readonly<Record<TextCriterion, Set<string>>>
}

/** Null = of every tenant. Each answer is put together once. Hosts are everybody's: a VM may move. */
export function seeValues(inventory: Inventory): (tenants: readonly TenantName[] | null) => SeenValues {
  const hosts = new Set<string>(inventory.hosts.map((host) => host.name))
  const byTenant = new Map<TenantName, OpenValues>()
  const all = emptyValues(hosts)
  for (const { tenant, name, os, labels, endpoints } of inventory.vms) {
    if (tenant === null) continue
    const own = byTenant.get(tenant) ?? emptyValues(hosts)
    byTenant.set(tenant, own)
    for (const values of [own, all]) {
      for (const key of Object.keys(labels)) values.keys.add(key)
      values.texts.name.add(name)
      if (os !== undefined) values.texts.os.add(os)
      for (const { segment } of endpoints) if (segment !== undefined) values.texts.segment.add(segment)
    }
  }
  const joined = new Map<string, SeenValues>()
  return (tenants) => {
    if (tenants === null) return all
    const id = tenants.join('/')
    const known = joined.get(id)
    if (known !== undefined) return known
    const values = join(
      tenants.map((tenant) => byTenant.get(tenant)).filter((one) => one !== undefined),
      hosts,
    )
    joined.set(id, values)
    return values
  }
}

function emptyValues(hosts: Set<string>): OpenValues {
  return { keys: new Set(), texts: { name: new Set(), os: new Set(), host: hosts, segment: new Set() } }
}

function join(parts: readonly SeenValues[], hosts: Set<string>): SeenValues {
  const [only, ...others] = parts
  if (only !== undefined && others.length === 0) return only
  const values = emptyValues(hosts)
  for (const { keys, texts } of parts) {
    for (const key of keys) values.keys.add(key)
    for (const kind of ['name', 'os', 'segment'] as const) for (const text of texts[kind]) values.texts[kind].add(text)
  }
  return values
}
