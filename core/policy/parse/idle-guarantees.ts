/** Guarantees of which a side is empty hold whatever the rules are: they read as protection and are none. */
import type { GroupName, Policy, RuleSide } from '@hyperward/model'

import type { Report } from '../document/report.ts'

/** `endpoints` says for each group of endpoints whether it has one. Exceptions are not counted: a side may be empty without being told. */
export function reportIdleGuarantees(report: Report, policy: Policy, endpoints: ReadonlyMap<GroupName, boolean>): void {
  if (policy.guarantees.length === 0) return
  const filled = findFilled(policy, endpoints)
  for (const { name, source, destination, path, place } of policy.guarantees) {
    const guarantee = name.replace(/^\//, 'provider/')
    const sides: readonly (readonly [field: string, side: RuleSide])[] = [
      ['from', source],
      ['to', destination],
    ]
    for (const [field, side] of sides) {
      if (side.kind === 'any' || side.groups.some((group) => filled.has(group))) continue
      report.add('guarantee.names-nothing', path, place, { guarantee, field }, 'warning')
    }
  }
}

/** The groups that a guarantee speaks of, directly or through others: of these it matters whether they have members. */
export function groupsOfGuarantees({ groups, guarantees }: Policy): ReadonlySet<GroupName> {
  const members = new Map(groups.map(({ name, selector }) => [name, selector.kind === 'groups' ? selector.groups : []]))
  const found = new Set<GroupName>()
  const waiting = guarantees.flatMap(({ source, destination }) =>
    [source, destination].flatMap((side) => (side.kind === 'groups' ? side.groups : [])),
  )
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue
    found.add(name)
    for (const member of members.get(name) ?? []) waiting.push(member)
  }
  return found
}

/** Networks always hold addresses. Groups of groups: from the filled ones upwards, so that a long chain is no deep recursion. */
function findFilled({ groups }: Policy, endpoints: ReadonlyMap<GroupName, boolean>): ReadonlySet<GroupName> {
  const users = new Map<GroupName, GroupName[]>()
  const filled = new Set<GroupName>()
  const waiting: GroupName[] = []
  for (const { name, selector } of groups) {
    if (selector.kind === 'networks' || endpoints.get(name) === true) waiting.push(name)
    if (selector.kind !== 'groups') continue
    for (const member of selector.groups) {
      const known = users.get(member)
      if (known === undefined) users.set(member, [name])
      else known.push(name)
    }
  }
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (filled.has(name)) continue
    filled.add(name)
    for (const user of users.get(name) ?? []) waiting.push(user)
  }
  return filled
}
