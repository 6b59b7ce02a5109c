/** Which rules two policies have in common, in one order: all that changes between them comes from the others, and from who is in a side. */
import type { Rule } from '@hyperward/model'

import { anySide, type IndexedRule, type PolicyIndex } from '../resolve/policy-index.ts'
import { serviceKey } from '../resolve/service-table.ts'
import { longestAscending } from './longest-ascending.ts'

export interface RuleMatch {
  readonly common: readonly (readonly [before: IndexedRule, after: IndexedRule])[]
  readonly onlyBefore: readonly IndexedRule[]
  readonly onlyAfter: readonly IndexedRule[]
}

/** A rule that has another place among its tier's is in both `only` lists: before it was asked there, now it is asked here. */
export function matchRules(before: PolicyIndex, after: PolicyIndex): RuleMatch {
  if (before === after) return { common: before.rules.map((rule) => [rule, rule]), onlyBefore: [], onlyAfter: [] }
  const former = new Map(before.rules.map((rule) => [rule.rule.ref, rule]))
  const pairs = after.rules.flatMap((rule) => {
    const other = former.get(rule.rule.ref)
    return other !== undefined && sameRule(before, other, after, rule) ? [[other, rule] as const] : []
  })
  const kept = Map.groupBy(pairs, ([, { rule }]) => `${rule.tier}:${rule.tenant ?? ''}`)
  const common = [...kept.values()].flatMap((list) => {
    const inOrder = longestAscending(list.map(([rule]) => rule.ordinal))
    return list.filter((_, at) => inOrder.has(at))
  })
  const matched = new Set(common.flat())
  return {
    common,
    onlyBefore: before.rules.filter((rule) => !matched.has(rule)),
    onlyAfter: after.rules.filter((rule) => !matched.has(rule)),
  }
}

/** All that can make a difference to a verdict. Sides are compared by the names of their groups: who is in them is another question. */
function sameRule(before: PolicyIndex, one: IndexedRule, after: PolicyIndex, other: IndexedRule): boolean {
  const [a, b] = [one.rule, other.rule]
  return (
    a.tier === b.tier &&
    a.tenant === b.tenant &&
    a.action === b.action &&
    a.profile === b.profile &&
    a.monitor === b.monitor &&
    a.directions.length === b.directions.length &&
    a.directions.every((direction) => b.directions.includes(direction)) &&
    toServiceKey(a) === toServiceKey(b) &&
    sideKey(before, one.source) === sideKey(after, other.source) &&
    sideKey(before, one.destination) === sideKey(after, other.destination) &&
    sideKey(before, one.applied) === sideKey(after, other.applied)
  )
}

function toServiceKey({ service }: Rule): string {
  return service.kind === 'any' ? 'any' : serviceKey(service)
}

function sideKey(index: PolicyIndex, side: number): string | null {
  return side === anySide ? null : (index.sides[side]?.key ?? '')
}
