/** The naive way: every rule as pairs of endpoints, one entry a pair. Only enumerated, into a small buffer that is used again: less than it would really cost. */
import type { Group, GroupName, Inventory, Policy, RuleSide, Vm } from '@hyperward/model'

const enumerateLimit = 100_000_000

export interface NaiveExpansion {
  /** Of every rule. */
  readonly pairs: number
  readonly ms: number
  /** For all pairs; more than `ms` when only a part was enumerated. */
  readonly wholeMs: number
}

export function expandNaively(policy: Policy, inventory: Inventory): NaiveExpansion {
  const start = performance.now()
  const membersOf = createMembers(policy, inventory.vms)
  const everyone = Uint32Array.from(inventory.vms.keys())
  const sideOf = (side: RuleSide): Uint32Array =>
    side.kind === 'any' ? everyone : Uint32Array.from(new Set(side.groups.flatMap((name) => [...membersOf(name)])))
  const buffer = new Uint32Array(1 << 16)
  let pairs = 0
  let written = 0
  for (const { source, destination } of policy.rules) {
    const [sources, destinations] = [sideOf(source), sideOf(destination)]
    pairs += sources.length * destinations.length
    for (const from of sources) {
      if (written > enumerateLimit) break
      for (const to of destinations) {
        buffer[(written * 2) & 0xffff] = from
        buffer[(written * 2 + 1) & 0xffff] = to
        written += 1
      }
    }
  }
  const ms = performance.now() - start
  return { pairs, ms, wholeMs: ms * Math.max(1, pairs / Math.max(written, 1)) }
}

/** Only selectors of endpoints by equal labels, which is what the made-up fleet has; networks have no endpoints in it. */
function createMembers(policy: Policy, vms: readonly Vm[]): (name: GroupName) => readonly number[] {
  const groups = new Map(policy.groups.map((group) => [group.name, group]))
  const byTenant = new Map<string | null, number[]>()
  for (const [index, { tenant }] of vms.entries()) {
    if (byTenant.get(tenant)?.push(index) === undefined) byTenant.set(tenant, [index])
  }
  const known = new Map<GroupName, readonly number[]>()
  return (name) => {
    const already = known.get(name)
    if (already !== undefined) return already
    const found = list(groups.get(name), byTenant, vms)
    known.set(name, found)
    return found
  }
}

function list(
  group: Group | undefined,
  byTenant: ReadonlyMap<string | null, readonly number[]>,
  vms: readonly Vm[],
): readonly number[] {
  if (group?.selector.kind !== 'endpoints') return []
  const { criteria } = group.selector
  return (byTenant.get(group.tenant) ?? []).filter((index) =>
    criteria.every((one) => one.kind === 'label' && one.values.includes(vms[index]?.labels[one.key] ?? '')),
  )
}
