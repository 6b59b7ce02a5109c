/** Groups that have no members; groups, services, schedules and profiles that nothing names. */
import { type Group, type GroupName, type Policy, type RuleSide } from '@hyperward/model'

import type { Report } from '../document/report.ts'
import { type AddressOwner, selectsEndpoint } from '../explain/group-membership.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { wholeRules } from '../schedule/active-at.ts'
import { nameGroup } from './name-rule.ts'

export function lintGroups({ policy, inventory }: ResolvedPolicy, report: Report): void {
  for (const { thing, name, path, place } of policy.unused ?? [])
    report.add('lint.unused-name', path, place, { thing, name: nameGroup(name) }, 'warning')
  const used = findUsed(policy)
  const owners = inventory.vms.flatMap((vm): readonly AddressOwner[] => {
    const { tenant } = vm
    return tenant === null ? [] : vm.endpoints.map((endpoint) => ({ vm, endpoint, tenant }))
  })
  const hasMembers = createMemberTest(policy, owners)
  for (const group of policy.groups) {
    if (group.inline === true) continue
    const params = { group: nameGroup(group.name) }
    const at = [group.written?.path ?? group.name, group.written?.place] as const
    if (!used.has(group.name)) report.add('lint.unused-group', ...at, params, 'warning')
    if (!hasMembers(group.name)) report.add('lint.empty-group', ...at, params, 'warning')
  }
}

/** By rules that do not hold just now, too. */
function findUsed(policy: Policy): ReadonlySet<GroupName> {
  const { groups, guarantees } = policy
  const used = new Set<GroupName>()
  const use = (side: RuleSide | undefined): void => {
    if (side?.kind === 'groups') for (const name of side.groups) used.add(name)
    for (const name of side?.except ?? []) used.add(name)
  }
  for (const { source, destination, appliedTo } of wholeRules(policy)) [source, destination, appliedTo].forEach(use)
  for (const { source, destination } of guarantees) [source, destination].forEach(use)
  for (const { selector } of groups) {
    if (selector.kind === 'groups') for (const name of [...selector.groups, ...selector.except]) used.add(name)
  }
  return used
}

/** Members among endpoints. A group that holds a network has members, as far as can be told: whoever is there. */
function createMemberTest(policy: Policy, owners: readonly AddressOwner[]): (name: GroupName) => boolean {
  const groups = new Map<GroupName, Group>(policy.groups.map((group) => [group.name, group]))
  const byTenant = Map.groupBy(owners, (owner) => owner.tenant)
  const isIn = (name: GroupName, owner: AddressOwner): boolean => {
    const selector = groups.get(name)?.selector
    switch (selector?.kind) {
      case 'endpoints':
        return selectsEndpoint(selector, owner)
      case 'groups':
        return (
          selector.groups.some((member) => isIn(member, owner)) &&
          !selector.except.some((member) => isIn(member, owner))
        )
      case 'networks':
      case undefined:
        return false
    }
  }
  return (name) => {
    const seen = new Set([name])
    for (const member of seen) {
      const selector = groups.get(member)?.selector
      if (selector?.kind === 'networks') return true
      if (selector?.kind === 'groups') for (const one of selector.groups) seen.add(one)
    }
    const selector = groups.get(name)?.selector
    const candidates =
      selector?.kind === 'endpoints' && selector.tenants !== null
        ? selector.tenants.flatMap((tenant) => byTenant.get(tenant) ?? [])
        : owners
    return candidates.some((owner) => isIn(name, owner))
  }
}
