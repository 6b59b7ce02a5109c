/**
 * The verdict rows of one local identity in one direction: the fewest that give, under the four look-ups of core/model/host-plan.ts, what the rules
 * say in their order. Written with the ordinals of the policy's rules, so that hosts share them.
 *
 * Why so few suffice: rules for any peer make the rows of peer 0. A peer in some rule's side gets rows of its own only where an earlier rule decides
 * for it. Its first rule for every class makes its class-0 row; a rule before that one, for some classes, makes exact rows. No rule after a peer's
 * class-0 rule can decide, so a class-0 row never hides a verdict, and the default drop never needs a row.
 */
import { anyIdentity, type Direction, type Identity } from '@hyperward/model'

import { anySide, type IndexedRule, type PolicyIndex } from '../resolve/policy-index.ts'
import type { IdentityClass } from '../resolve/resolved-policy.ts'

export interface VerdictRow {
  readonly peer: Identity
  readonly class: number
  readonly rule: IndexedRule
}

/** The rules that can decide at one local identity, and the peer sides they tell apart. */
export interface LocalRules {
  readonly direction: Direction
  readonly rules: readonly IndexedRule[]
  readonly peerSides: ReadonlySet<number>
}

export function peerSideOf(rule: IndexedRule, direction: Direction): number {
  return direction === 'egress' ? rule.destination : rule.source
}

export function localSideOf(rule: IndexedRule, direction: Direction): number {
  return direction === 'egress' ? rule.source : rule.destination
}

export function selectLocalRules(index: PolicyIndex, local: IdentityClass, direction: Direction): LocalRules {
  const { tenant, sides } = local.signature
  const rules: IndexedRule[] = []
  const peerSides = new Set<number>()
  for (const rule of tenant === null ? [] : index.rulesAt(tenant, direction)) {
    const localSide = localSideOf(rule, direction)
    if (localSide !== anySide && !sides.has(localSide)) continue
    rules.push(rule)
    const peerSide = peerSideOf(rule, direction)
    if (peerSide !== anySide) peerSides.add(peerSide)
    // a rule for every peer and class leaves nothing to those after it
    else if (rule.classes === null) break
  }
  return { direction, rules, peerSides }
}

/** Sorted by peer, then class. */
export function verdictRows(
  local: LocalRules,
  peersBySide: ReadonlyMap<number, readonly IdentityClass[]>,
): readonly VerdictRow[] {
  const { direction, rules, peerSides } = local
  if (rules.length === 0) return []
  const others = firstMatches(rules.filter((rule) => peerSideOf(rule, direction) === anySide))
  const rows: VerdictRow[] = listRows(anyIdentity, others, null)
  const peers = new Set<IdentityClass>()
  for (const side of peerSides) for (const peer of peersBySide.get(side) ?? []) peers.add(peer)
  const known = new Map<string, FirstMatches>()
  for (const peer of [...peers].sort((a, b) => a.identity - b.identity)) {
    const inSides = [...peerSides].filter((side) => peer.signature.sides.has(side))
    const key = inSides.join()
    const matches =
      known.get(key) ?? firstMatches(rules.filter((rule) => matchesPeer(peerSideOf(rule, direction), peer)))
    known.set(key, matches)
    for (const row of listRows(peer.identity, matches, others)) rows.push(row)
  }
  return rows
}

function matchesPeer(side: number, peer: IdentityClass): boolean {
  return side === anySide || peer.signature.sides.has(side)
}

/** First rule in order for each class; `rest` for every class not listed (null: none, the default drop). */
export interface FirstMatches {
  readonly byClass: ReadonlyMap<number, IndexedRule>
  readonly rest: IndexedRule | null
}

export function firstMatches(rules: readonly IndexedRule[]): FirstMatches {
  const byClass = new Map<number, IndexedRule>()
  for (const rule of rules) {
    if (rule.classes === null) return { byClass, rest: rule }
    for (const number of rule.classes) if (!byClass.has(number)) byClass.set(number, rule)
  }
  return { byClass, rest: null }
}

/** Rows of one peer, leaving out what the rows of any peer (`others`) say already. */
function listRows(peer: Identity, matches: FirstMatches, others: FirstMatches | null): VerdictRow[] {
  const rows: VerdictRow[] = []
  const ownRest = matches.rest !== null && matches.rest !== others?.rest
  if (ownRest && matches.rest !== null) rows.push({ peer, class: 0, rule: matches.rest })
  for (const [number, rule] of [...matches.byClass].sort(([a], [b]) => a - b)) {
    const said = others !== null && !ownRest && others.byClass.get(number) === rule
    if (!said) rows.push({ peer, class: number, rule })
  }
  return rows
}

/** The rules that can decide between a local identity and one peer, as one answer per class. */
export function matchesOfPeer(local: LocalRules, peer: IdentityClass): FirstMatches {
  return firstMatches(local.rules.filter((rule) => matchesPeer(peerSideOf(rule, local.direction), peer)))
}
