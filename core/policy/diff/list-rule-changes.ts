/** Two policies → what happened to their rules, by reference. Where two rules swapped, as few as can be are called moved. */
import type { Policy, Rule } from '@hyperward/model'

import { longestAscending } from './longest-ascending.ts'

export type RuleChange = 'added' | 'removed' | 'changed' | 'moved'

export interface ChangedRule {
  readonly change: RuleChange
  readonly rule: Rule
}

/** Removed rules first, then the others in their new order. A rule that was both changed and moved is told as changed. */
export function listRuleChanges(before: Policy, after: Policy): readonly ChangedRule[] {
  const former = new Map(before.rules.map((rule) => [rule.ref, rule]))
  const present = new Set(after.rules.map(({ ref }) => ref))
  const moved = findMoved(before, after)
  const removed = before.rules
    .filter(({ ref }) => !present.has(ref))
    .map((rule) => ({ change: 'removed', rule }) as const)
  const rest = after.rules.flatMap((rule): readonly ChangedRule[] => {
    const old = former.get(rule.ref)
    if (old === undefined) return [{ change: 'added', rule }]
    if (meaning(old) !== meaning(rule)) return [{ change: 'changed', rule }]
    return moved.has(rule.ref) ? [{ change: 'moved', rule }] : []
  })
  return [...removed, ...rest]
}

/** All that the rule says, its description and labels too, without where it is written. */
function meaning(rule: Rule): string {
  return JSON.stringify({ ...rule, place: undefined })
}

/** Order counts only among rules of one tier and tenant. */
function findMoved(before: Policy, after: Policy): ReadonlySet<Rule['ref']> {
  const places = new Map(before.rules.map(({ ref }, index) => [ref, index]))
  const lists = Map.groupBy(
    after.rules.filter(({ ref }) => places.has(ref)),
    ({ tier, tenant }) => `${tier}:${tenant ?? ''}`,
  )
  const moved = new Set<Rule['ref']>()
  for (const rules of lists.values()) {
    const order = rules.map(({ ref }) => places.get(ref) ?? 0)
    const kept = longestAscending(order)
    rules.forEach(({ ref }, index) => {
      if (!kept.has(index)) moved.add(ref)
    })
  }
  return moved
}
