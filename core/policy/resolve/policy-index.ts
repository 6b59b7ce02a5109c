/**
 * What a policy says, made ready for look-up, before any inventory: sides as numbered sets of leaf groups, rules in order of evaluation per tenant,
 * service classes, networks. Depends on the policy alone, so that a change of inventory reuses it.
 */
import type { Direction, Policy, Rule, TenantName } from '@hyperward/model'

import { assignNumbers } from './assign-numbers.ts'
import { type EndpointLeaves, indexEndpointLeaves } from './endpoint-leaves.ts'
import { createLeafTable, type LeafTable } from './leaf-table.ts'
import { buildNetworkTable, type NetworkTable } from './network-table.ts'
import { indexRules, type RuleOrder } from './rule-order.ts'
import { buildServiceTable, type ServiceTable } from './service-table.ts'

/** One distinct set of leaves that some rule names as source, destination or applied-to. */
export interface Side {
  readonly number: number
  /** Keys of its leaves, sorted: what identities are told apart by. */
  readonly key: string
  /** It holds an address that is in one of these. */
  readonly leaves: readonly number[]
}

export const anySide = -1

export interface IndexedRule {
  readonly rule: Rule
  /** Position in the policy. */
  readonly ordinal: number
  /** What plans name it by: {@link PlannedRule.number}. */
  readonly number: number
  /** Side numbers, or {@link anySide}. */
  readonly source: number
  readonly destination: number
  readonly applied: number
  /** Ascending; null = every class. */
  readonly classes: readonly number[] | null
}

export interface PolicyIndex {
  readonly policy: Policy
  readonly leaves: LeafTable
  readonly sides: readonly Side[]
  readonly sidesOfLeaf: readonly (readonly number[])[]
  readonly services: ServiceTable
  readonly networks: NetworkTable
  /** Every rule, by ordinal. */
  readonly rules: readonly IndexedRule[]
  /** Rules enforced at a tenant's endpoints in one direction, in order of evaluation. */
  readonly rulesAt: (tenant: TenantName, direction: Direction) => readonly IndexedRule[]
  readonly order: RuleOrder
  /** Leaves that a tenant's endpoints can be in by what they are. */
  readonly endpointLeavesOf: (tenant: TenantName) => EndpointLeaves
}

export function buildPolicyIndex(policy: Policy): PolicyIndex {
  const leaves = createLeafTable(policy.groups)
  const sides = new Map<string, Side>()
  const sideNumber = (side: Rule['source'] | undefined): number => {
    const names = side === undefined ? 'any' : leaves.ofSide(side)
    if (names === 'any') return anySide
    const sorted = names
      .map((number) => ({ number, key: leaves.keyOf(number) }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    const key = sorted.map((leaf) => leaf.key).join(',')
    const known = sides.get(key)
    if (known !== undefined) return known.number
    const made = { number: sides.size, key, leaves: sorted.map((leaf) => leaf.number) }
    sides.set(key, made)
    return made.number
  }

  const services = buildServiceTable(policy.rules)
  const numbers = assignNumbers(
    policy.rules.map((rule) => rule.ref),
    { first: 1, last: 0xffff_ffff },
  )
  const rules = policy.rules.map((rule, ordinal): IndexedRule => ({
    rule,
    ordinal,
    number: numbers.get(rule.ref) ?? 0,
    source: sideNumber(rule.source),
    destination: sideNumber(rule.destination),
    applied: sideNumber(rule.appliedTo),
    classes: services.classesOf(rule.service),
  }))
  const sideList = [...sides.values()]
  const sidesOfLeaf: number[][] = leaves.list().map(() => [])
  for (const side of sideList) for (const leaf of side.leaves) sidesOfLeaf[leaf]?.push(side.number)
  const order = indexRules(rules)
  return {
    policy,
    leaves,
    sides: sideList,
    sidesOfLeaf,
    services,
    networks: buildNetworkTable(
      leaves.list().flatMap((leaf) => (leaf.kind === 'networks' ? [{ ...leaf, leaf: leaf.number }] : [])),
    ),
    rules,
    rulesAt: (tenant, direction) => order.at(tenant, direction).all,
    order,
    endpointLeavesOf: indexEndpointLeaves(leaves.list()),
  }
}
