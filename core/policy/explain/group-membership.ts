/** Which of a policy's groups an address is in: every group, also those no rule names. For telling people, one address at a time. */
import {
  type Address,
  assertNever,
  type Endpoint,
  type GroupName,
  type Policy,
  prefixContains,
  type RuleSide,
  type Selector,
  type TenantName,
  toAddressValue,
  toPrefixValue,
  type Vm,
} from '@hyperward/model'

import { meets } from '../resolve/endpoint-leaves.ts'

/** Whose address it is. A VM without a tenant owns nothing: its address is one outside address among others. */
export interface AddressOwner {
  readonly vm: Vm
  readonly endpoint: Endpoint
  readonly tenant: TenantName
}

/** `owner` null = no endpoint's. */
export function groupsOf(policy: Policy, address: Address, owner: AddressOwner | null): ReadonlySet<GroupName> {
  const selectors = new Map(policy.groups.map((group) => [group.name, group.selector]))
  const value = toAddressValue(address)
  const known = new Map<GroupName, boolean>()
  const isIn = (name: GroupName): boolean => {
    const already = known.get(name)
    if (already !== undefined) return already
    // a cycle, which a parsed policy cannot have, would end here as "not in"
    known.set(name, false)
    const selector = selectors.get(name)
    const found = selector !== undefined && selects(selector)
    known.set(name, found)
    return found
  }
  const isInside = (prefix: Parameters<typeof toPrefixValue>[0]): boolean =>
    prefixContains(toPrefixValue(prefix), value)
  const selects = (selector: Selector): boolean => {
    switch (selector.kind) {
      case 'networks':
        return selector.networks.some(isInside) && !selector.except.some(isInside)
      case 'groups':
        return selector.groups.some(isIn) && !selector.except.some(isIn)
      case 'endpoints':
        return owner !== null && selectsEndpoint(selector, owner)
      default:
        return assertNever(selector)
    }
  }
  return new Set([...selectors.keys()].filter(isIn))
}

/** Whether a side of a rule holds for what is in these groups. */
export function sideHolds(side: RuleSide, groups: ReadonlySet<GroupName>): boolean {
  const named = side.kind === 'any' || side.groups.some((group) => groups.has(group))
  return named && !side.except.some((group) => groups.has(group))
}

export function selectsEndpoint(
  { tenants, criteria }: Extract<Selector, { kind: 'endpoints' }>,
  owner: AddressOwner,
): boolean {
  if (tenants !== null && !tenants.includes(owner.tenant)) return false
  return criteria.every((criterion) => meets(criterion, owner.vm, owner.endpoint.segment))
}
