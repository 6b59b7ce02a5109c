/** Which of a policy's groups an address is in: every group, also those no rule names. For telling people, one address at a time. */
import {
  type Address,
  type GroupName,
  type Policy,
  prefixContains,
  type Selector,
  toAddressValue,
  toPrefixValue,
  type Vm,
} from '@hyperward/model'

/** `vm` is the owner of the address, or null when it is no endpoint's. */
export function groupsOf(policy: Policy, address: Address, vm: Vm | null): ReadonlySet<GroupName> {
  const selectors = new Map(policy.groups.map((group) => [group.name, group.selector]))
  const value = toAddressValue(address)
  const known = new Map<GroupName, boolean>()
  const isIn = (name: GroupName): boolean => {
    const already = known.get(name)
    if (already !== undefined) return already
    // a cycle, which a parsed policy cannot have, would end here as "not in"
    known.set(name, false)
    const found = selects(selectors.get(name))
    known.set(name, found)
    return found
  }
  const selects = (selector: Selector | undefined): boolean => {
    switch (selector?.kind) {
      case 'networks':
        return selector.networks.some((prefix) => prefixContains(toPrefixValue(prefix), value))
      case 'groups':
        return selector.groups.some(isIn)
      case 'labels':
        return vm !== null && matchesLabels(selector, vm)
      case undefined:
        return false
    }
  }
  return new Set([...selectors.keys()].filter(isIn))
}

function matchesLabels({ tenants, labels }: Extract<Selector, { kind: 'labels' }>, vm: Vm): boolean {
  if (vm.tenant === null || (tenants !== null && !tenants.includes(vm.tenant))) return false
  return Object.entries(labels).every(
    ([key, values]) => Object.hasOwn(vm.labels, key) && values.includes(vm.labels[key] ?? ''),
  )
}
