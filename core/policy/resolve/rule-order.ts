/** Rules in order of evaluation, per tenant and direction, with the few that can concern an endpoint found by the sides it is in. */
import type { Direction, RuleTier, TenantName } from '@hyperward/model'

import { anySide, type IndexedRule } from './policy-index.ts'

export interface RuleOrder {
  readonly at: (tenant: TenantName, direction: Direction) => OrderedRules
}

export interface OrderedRules {
  /** In order of evaluation. */
  readonly all: readonly IndexedRule[]
  /** Positions in `all` of the rules for every local address, ascending. */
  readonly forAny: readonly number[]
  /** Positions of the rules for the local addresses of a side, ascending. */
  readonly bySide: ReadonlyMap<number, readonly number[]>
}

export const tierOrder = ['emergency', 'platform', 'tenant', 'baseline'] as const satisfies readonly RuleTier[]

export function indexRules(rules: readonly IndexedRule[]): RuleOrder {
  const byTier = new Map<RuleTier, IndexedRule[]>(tierOrder.map((tier) => [tier, []]))
  const byTenant = new Map<TenantName, IndexedRule[]>()
  for (const rule of rules) {
    const { tier, tenant } = rule.rule
    if (tier !== 'tenant' || tenant === null) byTier.get(tier)?.push(rule)
    else if (byTenant.get(tenant)?.push(rule) === undefined) byTenant.set(tenant, [rule])
  }
  const known = new Map<string, OrderedRules>()
  return {
    at: (tenant, direction) => {
      const key = `${direction}/${tenant}`
      const already = known.get(key)
      if (already !== undefined) return already
      const all = tierOrder
        .flatMap((tier) => (tier === 'tenant' ? (byTenant.get(tenant) ?? []) : (byTier.get(tier) ?? [])))
        .filter(({ rule }) => rule.directions.includes(direction))
      const made = { all, ...indexSides(all, direction) }
      known.set(key, made)
      return made
    },
  }
}

function indexSides(all: readonly IndexedRule[], direction: Direction): Pick<OrderedRules, 'forAny' | 'bySide'> {
  const forAny: number[] = []
  const bySide = new Map<number, number[]>()
  for (const [position, rule] of all.entries()) {
    const side = localSideOf(rule, direction)
    if (side === anySide) forAny.push(position)
    else if (bySide.get(side)?.push(position) === undefined) bySide.set(side, [position])
  }
  return { forAny, bySide }
}

export function peerSideOf(rule: IndexedRule, direction: Direction): number {
  return direction === 'egress' ? rule.destination : rule.source
}

export function localSideOf(rule: IndexedRule, direction: Direction): number {
  return direction === 'egress' ? rule.source : rule.destination
}
