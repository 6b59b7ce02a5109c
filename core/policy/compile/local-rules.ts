import type { Direction, RuleTier } from '@hyperward/model'

import { anySide, type IndexedRule, type PolicyIndex } from '../resolve/policy-index.ts'
import type { IdentityClass } from '../resolve/resolved-policy.ts'
import { peerSideOf } from '../resolve/rule-order.ts'

/** The rules that can concern one local identity in one direction, and the peer sides they tell apart. */
export interface LocalRules {
  readonly direction: Direction
  /** In order of evaluation; `pass` and monitor rules too. */
  readonly rules: readonly IndexedRule[]
  readonly peerSides: ReadonlySet<number>
}

export function selectLocalRules(
  index: PolicyIndex,
  local: Pick<IdentityClass, 'signature'>,
  direction: Direction,
): LocalRules {
  const { tenant, sides } = local.signature
  const peerSides = new Set<number>()
  if (tenant === null) return { direction, rules: [], peerSides }
  const { all, forAny, bySide } = index.order.at(tenant, direction)
  const positions = [...forAny]
  for (const side of sides) for (const position of bySide.get(side) ?? []) positions.push(position)
  positions.sort((a, b) => a - b)
  const rules: IndexedRule[] = []
  const handedDown = new Set<RuleTier>()
  for (const position of positions) {
    const rule = all[position]
    if (rule === undefined || (rule.applied !== anySide && !sides.has(rule.applied))) continue
    rules.push(rule)
    if (rule.rule.action === 'pass' && !rule.rule.monitor) handedDown.add(rule.rule.tier)
    const peerSide = peerSideOf(rule, direction)
    if (peerSide !== anySide) peerSides.add(peerSide)
    else if (rule.classes === null && isFinal(rule) && !handedDown.has(rule.rule.tier)) break
  }
  return { direction, rules, peerSides }
}

/** Nothing after a rule that decides for every peer and class is ever asked, but by what an earlier rule of its tier passed on. */
function isFinal({ rule }: IndexedRule): boolean {
  return !rule.monitor && rule.action !== 'pass'
}
