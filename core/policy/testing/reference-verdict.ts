/**
 * What the policy language says, done the slow way: walks the rules for one packet, with no classes, no identities, no rows. For tests only,
 * and kept unlike the compiler on purpose: nothing of core/policy is imported.
 */
import {
  type Action,
  type Address,
  defaultDropRef,
  type Direction,
  type GroupName,
  type Inventory,
  isPrefix,
  type Mac,
  type Packet,
  parseAddress,
  parsePrefix,
  type Policy,
  prefixContains,
  type Rule,
  type RuleRef,
  type RuleSide,
  type Service,
  toAddressValue,
  toPrefixValue,
  type Vm,
} from '@hyperward/model'

export interface ReferenceVerdict {
  readonly action: Action
  readonly ref: RuleRef
}

/** The verdict at one side, or null when that side's address is no endpoint's (nothing is enforced there). */
export function referenceVerdict(
  policy: Policy,
  inventory: Inventory,
  packet: Packet,
  direction: Direction,
): ReferenceVerdict | null {
  const local = ownerOf(inventory, direction === 'egress' ? packet.source : packet.destination)
  if (local === null) return null
  for (const tier of ['platform', 'tenant', 'baseline'] as const) {
    for (const rule of policy.rules) {
      if (rule.tier !== tier || (tier === 'tenant' && rule.tenant !== local.tenant)) continue
      if (rule.directions.includes(direction) && ruleMatches(policy, inventory, rule, packet)) {
        return { action: rule.action, ref: rule.ref }
      }
    }
  }
  return { action: 'drop', ref: defaultDropRef }
}

function ruleMatches(policy: Policy, inventory: Inventory, rule: Rule, packet: Packet): boolean {
  return (
    sideMatches(policy, inventory, rule.source, packet.source) &&
    sideMatches(policy, inventory, rule.destination, packet.destination) &&
    serviceMatches(rule.service, packet)
  )
}

function sideMatches(policy: Policy, inventory: Inventory, side: RuleSide, address: Address): boolean {
  return side.kind === 'any' || side.groups.some((group) => inGroup(policy, inventory, group, address))
}

function inGroup(policy: Policy, inventory: Inventory, name: GroupName, address: Address): boolean {
  const selector = policy.groups.find((group) => group.name === name)?.selector
  switch (selector?.kind) {
    case 'networks':
      return selector.networks.some((prefix) => prefixContains(toPrefixValue(prefix), toAddressValue(address)))
    case 'groups':
      return selector.groups.some((group) => inGroup(policy, inventory, group, address))
    case 'labels': {
      const vm = ownerOf(inventory, address)
      if (vm === null || vm.tenant === null) return false
      if (selector.tenants !== null && !selector.tenants.includes(vm.tenant)) return false
      return Object.entries(selector.labels).every(([key, values]) => values.includes(vm.labels[key] ?? '\0absent'))
    }
    case undefined:
      return false
  }
}

/** The one VM whose address this is; an address of two is nobody's. */
export function ownerOf(inventory: Inventory, address: Address): Vm | null {
  const owners: Vm[] = []
  for (const vm of inventory.vms) {
    if (vm.tenant === null) continue
    for (const endpoint of vm.endpoints) {
      if (endpoint.addresses.includes(address) || isOwnLinkLocal(endpoint.mac, address)) owners.push(vm)
    }
  }
  return owners.length === 1 ? (owners[0] ?? null) : null
}

function isOwnLinkLocal(mac: Mac, address: Address): boolean {
  const linkLocal = parsePrefix('fe80::/64')
  if (!isPrefix(linkLocal) || !prefixContains(toPrefixValue(linkLocal), toAddressValue(address))) return false
  const [a = '', b, c = '', d, e = '', f] = mac.split(':')
  const first = (Number.parseInt(a, 16) ^ 0x02).toString(16)
  return address === parseAddress(`fe80::${first.padStart(2, '0')}${b ?? ''}:${c}ff:fe${d ?? ''}:${e}${f ?? ''}`)
}

function serviceMatches(service: Service, packet: Packet): boolean {
  if (service.kind === 'any') return true
  const port = packet.port ?? 0
  return service.entries.some(
    ({ protocol, ranges }) =>
      protocol === packet.protocol &&
      (ranges.length === 0 || ranges.some(({ from, to }) => from <= port && port <= to)),
  )
}
