/**
 * What a policy says, made ready for look-up, before any inventory: sides as numbered sets of leaf groups, rules in order of evaluation per tenant,
 * service classes, networks. Depends on the policy alone, so that a change of inventory reuses it.
 */
import type { Direction, Group, GroupName, Policy, Rule, RuleSide, Selector, TenantName } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import { buildNetworkTable, type NetworkTable } from './network-table.ts'
import { buildServiceTable, type ServiceTable } from './service-table.ts'

/** A group that selects by itself, not through other groups. */
export interface Leaf {
  readonly number: number
  readonly group: Group
}

/** One distinct set of leaves that some rule names as source or destination. */
export interface Side {
  readonly number: number
  /** Leaf names, sorted: what identities are told apart by. */
  readonly key: string
  readonly leaves: readonly number[]
}

export const anySide = -1

export interface IndexedRule {
  readonly rule: Rule
  /** Position in the policy. */
  readonly ordinal: number
  /** Side numbers, or {@link anySide}. */
  readonly source: number
  readonly destination: number
  /** Ascending; null = every class. */
  readonly classes: readonly number[] | null
}

export interface PolicyIndex {
  readonly policy: Policy
  readonly leaves: readonly Leaf[]
  readonly sides: readonly Side[]
  readonly sidesOfLeaf: readonly (readonly number[])[]
  readonly services: ServiceTable
  readonly networks: NetworkTable
  /** Every rule, by ordinal. */
  readonly rules: readonly IndexedRule[]
  /** Rules enforced at a tenant's endpoints in one direction, in order of evaluation. */
  readonly rulesAt: (tenant: TenantName, direction: Direction) => readonly IndexedRule[]
  /** Leaves that a tenant's endpoints can be in by their labels. */
  readonly labelLeavesOf: (tenant: TenantName) => readonly LabelLeaf[]
}

export interface LabelLeaf {
  readonly number: number
  readonly labels: readonly (readonly [key: string, values: ReadonlySet<string>])[]
}

export function buildPolicyIndex(policy: Policy): PolicyIndex {
  const groups = new Map(policy.groups.map((group) => [group.name, group]))
  const leavesByGroup = expandGroups(groups)
  const sides = new Map<string, Side>()
  const leafNumbers = new Map<GroupName, number>()
  const leaves: Leaf[] = []

  const leafNumber = (name: GroupName): number => {
    const known = leafNumbers.get(name)
    if (known !== undefined) return known
    const group = groups.get(name)
    if (group === undefined) throw new Error(`a rule names an unknown group: ${name}`)
    leafNumbers.set(name, leaves.length)
    leaves.push({ number: leaves.length, group })
    return leaves.length - 1
  }
  const sideNumber = (side: RuleSide): number => {
    if (side.kind === 'any') return anySide
    const names = [...new Set(side.groups.flatMap((name) => [...(leavesByGroup(name) ?? [])]))].sort()
    if (coversEverything(names, groups)) return anySide
    const key = names.join(',')
    const known = sides.get(key)
    if (known !== undefined) return known.number
    const made = { number: sides.size, key, leaves: names.map(leafNumber) }
    sides.set(key, made)
    return made.number
  }

  const services = buildServiceTable(policy.rules)
  const rules = policy.rules.map((rule, ordinal): IndexedRule => ({
    rule,
    ordinal,
    source: sideNumber(rule.source),
    destination: sideNumber(rule.destination),
    classes: services.classesOf(rule.service),
  }))
  const sideList = [...sides.values()]
  const sidesOfLeaf: number[][] = leaves.map(() => [])
  for (const side of sideList) for (const leaf of side.leaves) sidesOfLeaf[leaf]?.push(side.number)
  return {
    policy,
    leaves,
    sides: sideList,
    sidesOfLeaf,
    services,
    networks: buildNetworkTable(
      leaves.flatMap(({ number, group }) =>
        group.selector.kind === 'networks' ? [{ leaf: number, networks: group.selector.networks }] : [],
      ),
    ),
    rules,
    rulesAt: indexRules(rules),
    labelLeavesOf: indexLabelLeaves(leaves),
  }
}

/** Group → its leaves. Policies are acyclic once parsed. */
function expandGroups(groups: ReadonlyMap<GroupName, Group>): (name: GroupName) => ReadonlySet<GroupName> {
  const known = new Map<GroupName, ReadonlySet<GroupName>>()
  return (start) => {
    const already = known.get(start)
    if (already !== undefined) return already
    const found = new Set<GroupName>()
    const seen = new Set<GroupName>([start])
    for (const name of seen) {
      const selector = groups.get(name)?.selector
      if (selector?.kind === 'groups') for (const member of selector.groups) seen.add(member)
      else found.add(name)
    }
    known.set(start, found)
    return found
  }
}

/** `0.0.0.0/0` with `::/0` is what people write for "anywhere"; as a set of networks it would pair every class of addresses with every other. */
function coversEverything(names: readonly GroupName[], groups: ReadonlyMap<GroupName, Group>): boolean {
  const networks = new Set<string>()
  for (const name of names) {
    const selector: Selector | undefined = groups.get(name)?.selector
    if (selector?.kind === 'networks') for (const prefix of selector.networks) networks.add(prefix)
  }
  return networks.has('0.0.0.0/0') && networks.has('::/0')
}

const tierOrder = { platform: 0, tenant: 1, baseline: 2 } as const

function indexRules(rules: readonly IndexedRule[]): PolicyIndex['rulesAt'] {
  const ordered = [...rules].sort((a, b) => tierOrder[a.rule.tier] - tierOrder[b.rule.tier] || a.ordinal - b.ordinal)
  const known = new Map<string, readonly IndexedRule[]>()
  return (tenant, direction) => {
    const key = `${direction}/${tenant}`
    const already = known.get(key)
    if (already !== undefined) return already
    const found = ordered.filter(
      ({ rule }) => (rule.tenant === null || rule.tenant === tenant) && rule.directions.includes(direction),
    )
    known.set(key, found)
    return found
  }
}

function indexLabelLeaves(leaves: readonly Leaf[]): PolicyIndex['labelLeavesOf'] {
  const known = new Map<TenantName, readonly LabelLeaf[]>()
  return (tenant) => {
    const already = known.get(tenant)
    if (already !== undefined) return already
    const found: LabelLeaf[] = []
    for (const { number, group } of leaves) {
      const { selector } = group
      if (selector.kind !== 'labels') continue
      if (selector.tenants !== null && !selector.tenants.includes(tenant)) continue
      const labels = Object.entries(selector.labels).map(([key, values]) => [key, new Set(values)] as const)
      found.push({ number, labels: labels.sort(([a], [b]) => compareText(a, b)) })
    }
    known.set(tenant, found)
    return found
  }
}
