/**
 * The fate of every service between two identity classes, end to end: egress at the source's endpoint and ingress at the destination's. Answers are shared:
 * peers that no rule of a local class tells apart get one, and so do local classes with the same rules.
 */
import type { Direction, GroupName } from '@hyperward/model'

import { actionOf, type Answer, answerOfRules, type Decision, matchesPeer } from '../compile/answer.ts'
import { type LocalRules, selectLocalRules } from '../compile/local-rules.ts'
import { combineVerdicts, type FlowVerdict } from '../explain/combine-verdicts.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { peerSideOf } from '../resolve/rule-order.ts'

export interface Fate {
  readonly verdict: FlowVerdict
  /** Of `inspect`: the profile of the first side that says so. */
  readonly profile: GroupName | null
  /** Null where that side is not enforced. */
  readonly egress: Decision | null
  readonly ingress: Decision | null
  /** The side that makes the verdict: the first that refuses, inspects or is stateless; where all simply allow, the destination's before the source's. */
  readonly decider: Decision | null
}

export interface FateMap {
  /** Equal number = the same object. */
  readonly number: number
  /** Of the classes that some rule between the two names. */
  readonly byClass: ReadonlyMap<number, Fate>
  readonly rest: Fate
}

export interface Fates {
  readonly between: (source: IdentityClass, destination: IdentityClass) => FateMap
  /** Number of what a class says to every peer that its rules do not tell from the world; 0 = nothing is enforced there. */
  readonly fallbackOf: (direction: Direction, local: IdentityClass) => number
  /** Fate by the numbers of {@link fallbackOf}, at the source and at the destination. */
  readonly ofFallbacks: (egress: number, ingress: number) => FateMap
  /** The sides of peers that a class's rules tell apart. */
  readonly peerSidesOf: (direction: Direction, local: IdentityClass) => ReadonlySet<number>
}

export function createFates({ index, records }: ResolvedPolicy): Fates {
  const numbers = new Map<string, number>()
  const answers: (Answer | null)[] = [null]
  const rows = { egress: new Map<IdentityClass, Row>(), ingress: new Map<IdentityClass, Row>() }
  const world = { signature: records.signatures.world }
  const maps = new Map<number, FateMap>()

  const answerNumber = (rules: LocalRules, peer: Pick<IdentityClass, 'signature'>): number => {
    const matching = rules.rules.filter((rule) => matchesPeer(peerSideOf(rule, rules.direction), peer))
    const key = matching.map((rule) => rule.ordinal).join()
    const known = numbers.get(key)
    if (known !== undefined) return known
    numbers.set(key, answers.length)
    answers.push(answerOfRules(matching))
    return answers.length - 1
  }
  const rowOf = (direction: Direction, local: IdentityClass): Row => {
    const known = rows[direction].get(local)
    if (known !== undefined) return known
    const rules = selectLocalRules(index, local, direction)
    const made = { rules, fallback: answerNumber(rules, world), byPattern: new Map<string, number>() }
    rows[direction].set(local, made)
    return made
  }
  const ask = (direction: Direction, local: IdentityClass, peer: IdentityClass): number => {
    if (local.signature.tenant === null) return 0
    const { rules, fallback, byPattern } = rowOf(direction, local)
    // nearly every pair ends here
    if (areDisjoint(peer.signature.unlikeWorld, rules.peerSides)) return fallback
    let pattern = ''
    for (const side of peer.signature.unlikeWorld) if (rules.peerSides.has(side)) pattern += `${side},`
    const known = byPattern.get(pattern)
    if (known !== undefined) return known
    const number = answerNumber(rules, peer)
    byPattern.set(pattern, number)
    return number
  }
  const combine = (egress: number, ingress: number): FateMap => {
    const key = egress * 0x400_0000 + ingress
    const known = maps.get(key)
    if (known !== undefined) return known
    const made = { number: maps.size, ...combineAnswers(answers[egress] ?? null, answers[ingress] ?? null) }
    maps.set(key, made)
    return made
  }
  return {
    between: (source, destination) => combine(ask('egress', source, destination), ask('ingress', destination, source)),
    fallbackOf: (direction, local) => (local.signature.tenant === null ? 0 : rowOf(direction, local).fallback),
    ofFallbacks: combine,
    peerSidesOf: (direction, local) =>
      local.signature.tenant === null ? none : rowOf(direction, local).rules.peerSides,
  }
}

const none: ReadonlySet<number> = new Set()

function areDisjoint(some: ReadonlySet<number>, others: ReadonlySet<number>): boolean {
  const [few, many] = some.size < others.size ? [some, others] : [others, some]
  for (const one of few) if (many.has(one)) return false
  return true
}

interface Row {
  readonly rules: LocalRules
  /** Number of the answer to the world, and to every peer that no rule here tells from it. */
  readonly fallback: number
  readonly byPattern: Map<string, number>
}

function combineAnswers(egress: Answer | null, ingress: Answer | null): Pick<FateMap, 'byClass' | 'rest'> {
  const classes = new Set([...(egress?.byClass.keys() ?? []), ...(ingress?.byClass.keys() ?? [])])
  const at = (answer: Answer | null, one: number): Decision | null => answer && (answer.byClass.get(one) ?? answer.rest)
  return {
    byClass: new Map([...classes].map((one) => [one, toFate(at(egress, one), at(ingress, one))])),
    rest: toFate(egress?.rest ?? null, ingress?.rest ?? null),
  }
}

function toFate(egress: Decision | null, ingress: Decision | null): Fate {
  const sides = [egress, ingress].filter((side) => side !== null)
  const verdict = combineVerdicts(sides.map(actionOf))
  // where both sides let it pass, the destination's is the one that opened it
  const ordered = verdict === 'allow' ? sides.toReversed() : sides
  const decider = ordered.find((side) => actionOf(side) === verdict) ?? null
  const profile = verdict === 'inspect' ? (decider?.rule?.rule.profile ?? null) : null
  return { verdict, profile, egress, ingress, decider }
}
