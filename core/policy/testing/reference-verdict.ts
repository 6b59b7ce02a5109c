/**
 * What the policy language says, done the slow way: walks the rules for one packet, with no classes, no identities, no rows. For tests only,
 * and kept unlike the compiler on purpose: nothing of core/policy is imported. The sentences are those of docs/policy-language.md.
 */
import {
  type Action,
  type Address,
  assertNever,
  type Criterion,
  defaultDropRef,
  type Direction,
  type Endpoint,
  type GroupName,
  type Inventory,
  isPrefix,
  type Mac,
  type Packet,
  parseAddress,
  parsePrefix,
  type Policy,
  type Prefix,
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
  /** The first rule in monitor mode that would have decided; absent when none would. */
  readonly monitor?: RuleRef
}

/** The verdict at one side, or null when that side's address is no endpoint's (nothing is enforced there). Every rule of the policy is taken as active. */
export function referenceVerdict(
  policy: Policy,
  inventory: Inventory,
  packet: Packet,
  direction: Direction,
): ReferenceVerdict | null {
  const address = direction === 'egress' ? packet.source : packet.destination
  const local = ownerOf(inventory, address)
  if (local === null) return null
  let monitor: RuleRef | undefined
  const toVerdict = (action: Action, ref: RuleRef): ReferenceVerdict =>
    monitor === undefined ? { action, ref } : { action, ref, monitor }
  for (const tier of ['emergency', 'platform', 'tenant', 'baseline'] as const) {
    for (const rule of policy.rules) {
      if (rule.tier !== tier || (tier === 'tenant' && rule.tenant !== local.tenant)) continue
      if (!rule.directions.includes(direction)) continue
      if (rule.appliedTo !== undefined && !sideMatches(policy, inventory, rule.appliedTo, address)) continue
      if (!ruleMatches(policy, inventory, rule, packet)) continue
      if (rule.monitor) {
        // a pass decides nothing, so one in monitor mode has nothing to tell
        if (rule.action !== 'pass') monitor ??= rule.ref
        continue
      }
      if (rule.action === 'pass') break
      return toVerdict(rule.action, rule.ref)
    }
  }
  return toVerdict('drop', defaultDropRef)
}

/** What becomes of the connection: both sides together. */
export function referenceFate(policy: Policy, inventory: Inventory, packet: Packet): Action | 'not-enforced' {
  const actions = (['egress', 'ingress'] as const).flatMap((direction) => {
    const verdict = referenceVerdict(policy, inventory, packet, direction)
    return verdict === null ? [] : [verdict.action]
  })
  if (actions.length === 0) return 'not-enforced'
  const refusal = actions.find((action) => action === 'drop' || action === 'reject')
  if (refusal !== undefined) return refusal
  if (actions.includes('inspect')) return 'inspect'
  return actions.includes('allow-stateless') ? 'allow-stateless' : 'allow'
}

function ruleMatches(policy: Policy, inventory: Inventory, rule: Rule, packet: Packet): boolean {
  return (
    sideMatches(policy, inventory, rule.source, packet.source) &&
    sideMatches(policy, inventory, rule.destination, packet.destination) &&
    serviceMatches(rule.service, packet)
  )
}

function sideMatches(policy: Policy, inventory: Inventory, side: RuleSide, address: Address): boolean {
  const isIn = (group: GroupName): boolean => inGroup(policy, inventory, group, address)
  if (side.except.some(isIn)) return false
  return side.kind === 'any' || side.groups.some(isIn)
}

function inGroup(policy: Policy, inventory: Inventory, name: GroupName, address: Address): boolean {
  const selector = policy.groups.find((group) => group.name === name)?.selector
  switch (selector?.kind) {
    case 'networks':
      return inAny(selector.networks, address) && !inAny(selector.except, address)
    case 'groups':
      return (
        selector.groups.some((group) => inGroup(policy, inventory, group, address)) &&
        !selector.except.some((group) => inGroup(policy, inventory, group, address))
      )
    case 'endpoints': {
      const found = attachmentOf(inventory, address)
      if (found === null || found.vm.tenant === null) return false
      if (selector.tenants !== null && !selector.tenants.includes(found.vm.tenant)) return false
      return selector.criteria.every((criterion) => criterionHolds(criterion, found) !== criterion.negated)
    }
    case undefined:
      return false
  }
}

function inAny(prefixes: readonly Prefix[], address: Address): boolean {
  return prefixes.some((prefix) => prefixContains(toPrefixValue(prefix), toAddressValue(address)))
}

interface Attachment {
  readonly vm: Vm
  readonly endpoint: Endpoint
}

/** Before negation. */
function criterionHolds(criterion: Criterion, { vm, endpoint }: Attachment): boolean {
  const label = (key: string): string | undefined => (Object.hasOwn(vm.labels, key) ? vm.labels[key] : undefined)
  switch (criterion.kind) {
    case 'label':
      return criterion.values.some((value) => value === label(criterion.key))
    case 'label-exists':
      return label(criterion.key) !== undefined
    case 'name':
      return matchesSome(criterion.patterns, vm.name)
    case 'os':
      return matchesSome(criterion.patterns, vm.os)
    case 'host':
      return matchesSome(criterion.patterns, vm.host)
    case 'segment':
      return matchesSome(criterion.patterns, endpoint.segment)
    default:
      return assertNever(criterion)
  }
}

function matchesSome(patterns: readonly string[], text: string | undefined): boolean {
  return text !== undefined && patterns.some((pattern) => matchesGlob(Array.from(pattern), Array.from(text)))
}

function matchesGlob(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return text.length === 0
  if (first === '*') return text.some((_, at) => matchesGlob(rest, text.slice(at))) || matchesGlob(rest, [])
  return text.length > 0 && (first === '?' || first === text[0]) && matchesGlob(rest, text.slice(1))
}

/** The one VM whose address this is; an address of two is nobody's. */
export function ownerOf(inventory: Inventory, address: Address): Vm | null {
  return attachmentOf(inventory, address)?.vm ?? null
}

function attachmentOf(inventory: Inventory, address: Address): Attachment | null {
  const found: Attachment[] = []
  for (const vm of inventory.vms) {
    if (vm.tenant === null) continue
    for (const endpoint of vm.endpoints) {
      if (endpoint.addresses.includes(address) || isOwnLinkLocal(endpoint.mac, address)) found.push({ vm, endpoint })
    }
  }
  return found.length === 1 ? (found[0] ?? null) : null
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
