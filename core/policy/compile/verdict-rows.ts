/**
 * The verdict rows of one local identity in one direction: the fewest that give, under the four look-ups of core/model/host-plan.ts, what the rules
 * say in their order. A row is the same on every host, so hosts share them.
 *
 * Rows of peer 0 say what the world gets. A peer that no rule tells from the world needs none of its own. Any other peer either leans on the rows of
 * peer 0 and states each class that differs, or begins with a class-0 row of its own and states what differs from that: whichever is shorter.
 */
import { anyIdentity, type Identity, OperationError, type Verdict } from '@hyperward/model'

import type { IdentityClass } from '../resolve/resolved-policy.ts'
import { peerSideOf } from '../resolve/rule-order.ts'
import { actionOf, type Answer, answerOfRules, type Decision, matchesPeer, sameDecision } from './answer.ts'
import type { LocalRules } from './local-rules.ts'

/** Rows of one policy over all its identities. Beyond it the plans would not fit a host's maps, nor the compiler's memory. */
export const verdictRowLimit = 12_000_000

/** How many rows the whole may still have; refuses before memory does. */
export interface RowBudget {
  /** Says how far the work is, for the estimate. */
  readonly spend: (rows: number) => void
}

/** Sorted by peer, then class. `peersOf`: the classes that a side tells from the world. */
export function verdictRows(
  local: LocalRules,
  identity: Identity,
  world: IdentityClass,
  peersOf: (side: number) => readonly IdentityClass[],
  budget: RowBudget,
): readonly Verdict[] {
  const { direction, rules, peerSides } = local
  if (rules.length === 0) return []
  const rows: Verdict[] = []
  const answerOf = (peer: IdentityClass): Answer =>
    answerOfRules(rules.filter((rule) => matchesPeer(peerSideOf(rule, direction), peer)))
  const others = answerOf(world)
  const add = (peer: Identity, entries: readonly RowEntry[]): void => {
    budget.spend(entries.length)
    for (const { class: number, decision } of entries) rows.push(toVerdict(direction, identity, peer, number, decision))
  }
  add(anyIdentity, listEntries(others, nothing))
  const peers = new Set<IdentityClass>()
  for (const side of peerSides) for (const peer of peersOf(side)) peers.add(peer)
  const sides = [...peerSides]
  const known = new Map<string, readonly RowEntry[]>()
  for (const peer of [...peers].sort((a, b) => a.identity - b.identity)) {
    const key = sides.filter((side) => peer.signature.sides.has(side)).join()
    const entries = known.get(key) ?? listEntries(answerOf(peer), others)
    known.set(key, entries)
    add(peer.identity, entries)
  }
  return rows
}

interface RowEntry {
  readonly class: number
  readonly decision: Decision
}

/** What a table without a row says. */
const nothing: Answer = { byClass: new Map(), rest: { rule: null, monitor: null } }

function listEntries(wanted: Answer, others: Answer): readonly RowEntry[] {
  const own = [{ class: 0, decision: wanted.rest }, ...listDifferent(wanted.byClass.keys(), wanted, () => wanted.rest)]
  if (!sameDecision(wanted.rest, others.rest)) return own
  const numbers = new Set([...wanted.byClass.keys(), ...others.byClass.keys()])
  const leaning = listDifferent(numbers, wanted, (number) => others.byClass.get(number) ?? others.rest)
  return leaning.length <= own.length ? leaning : own
}

function listDifferent(
  numbers: Iterable<number>,
  wanted: Answer,
  fallback: (number: number) => Decision,
): readonly RowEntry[] {
  const entries: RowEntry[] = []
  for (const number of numbers) {
    const decision = wanted.byClass.get(number) ?? wanted.rest
    if (!sameDecision(decision, fallback(number))) entries.push({ class: number, decision })
  }
  return entries.sort((a, b) => a.class - b.class)
}

function toVerdict(
  direction: Verdict['direction'],
  local: Identity,
  peer: Identity,
  number: number,
  decision: Decision,
): Verdict {
  const { rule, monitor } = decision
  const verdict = { direction, local, peer, class: number, action: actionOf(decision), rule: rule?.number ?? 0 }
  return monitor === null ? verdict : { ...verdict, monitor: monitor.number }
}

/** `locals` = how many (identity, direction) pairs there are in all. */
export function createRowBudget(locals: number, limit = verdictRowLimit): RowBudget & { readonly next: () => void } {
  let rows = 0
  let done = 0
  return {
    next: () => {
      done += 1
    },
    spend: (more) => {
      rows += more
      if (rows <= limit) return
      const estimate = Math.round((rows / Math.max(done, 1)) * locals)
      throw new OperationError(
        'policy.too-many-rows',
        `the policy would make about ${estimate} verdict rows; at most ${limit} are made`,
        { estimate, limit },
      )
    },
  }
}
