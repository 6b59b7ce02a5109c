/**
 * What each rule does over every packet that can be, by classes: whether it ever decides (or passes on), what would decide in its place, and where two rules
 * that say the opposite meet. Each distinct list of rules that some packet meets is looked at once.
 */
import type { Direction } from '@hyperward/model'

import { matchesPeer } from '../compile/answer.ts'
import { anySide, type IndexedRule, type PolicyIndex } from '../resolve/policy-index.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { localSideOf, peerSideOf } from '../resolve/rule-order.ts'
import { type PeopledClass, v4Bit, v6Bit } from './class-families.ts'

/** A packet, by classes; `service` null = a service that no rule names. */
export interface PacketClass {
  readonly direction: Direction
  readonly local: PeopledClass
  readonly peer: PeopledClass
  readonly service: number | null
}

/** Two rules next to each other on some packet's way of which one lets through and the other refuses. */
export interface Meeting {
  readonly first: IndexedRule
  readonly second: IndexedRule
  readonly example: PacketClass
}

export interface RuleSurvey {
  /** Rules that decide, pass on, or (in monitor mode) would, for some packet. */
  readonly alive: ReadonlySet<IndexedRule>
  /** Rules whose removal changes the action for some packet. */
  readonly needed: ReadonlySet<IndexedRule>
  /** Of rules not needed: what is on the way of their packets without them; null = the default drop. */
  readonly relies: ReadonlyMap<IndexedRule, ReadonlySet<IndexedRule | null>>
  readonly meetings: readonly Meeting[]
}

/** Rules on some packet's way, up to the second that decides, in order. */
type Way = readonly IndexedRule[]

const directions: readonly Direction[] = ['egress', 'ingress']

export function surveyRules(resolved: ResolvedPolicy, classes: readonly PeopledClass[]): RuleSurvey {
  const alive = new Set<IndexedRule>()
  const needed = new Set<IndexedRule>()
  const relies = new Map<IndexedRule, Set<IndexedRule | null>>()
  const meetings = new Map<string, Meeting>()
  const known = new Set<string>()
  forEachWay(resolved, classes, (way, example) => {
    const key = way.map((rule) => rule.ordinal).join()
    if (known.has(key)) return
    known.add(key)
    const path = follow(way, null)
    for (const rule of path.monitors) alive.add(rule)
    for (const rule of path.rules) {
      alive.add(rule)
      const without = follow(way, rule)
      if (effectOf(without.decision) !== effectOf(path.decision)) needed.add(rule)
      const relied = relies.get(rule) ?? new Set()
      relies.set(rule, relied)
      for (const other of without.rules) relied.add(other)
      if (without.decision === null) relied.add(null)
    }
    const { decision } = path
    const next = decision === null ? null : follow(way, decision).decision
    if (decision === null || next === null || !isOpposite(decision, next)) return
    const pair = `${decision.ordinal}/${next.ordinal}`
    if (!meetings.has(pair)) meetings.set(pair, { first: decision, second: next, example })
  })
  for (const rule of needed) relies.delete(rule)
  return { alive, needed, relies, meetings: [...meetings.values()] }
}

export interface Path {
  /** Those that passed on, then the one that decided. */
  readonly rules: readonly IndexedRule[]
  readonly monitors: readonly IndexedRule[]
  /** Null = the default drop. */
  readonly decision: IndexedRule | null
}

/** What becomes of a packet on this way, with one rule left out. */
export function follow(way: Way, without: IndexedRule | null): Path {
  const rules: IndexedRule[] = []
  const monitors: IndexedRule[] = []
  let passed: string | null = null
  for (const one of way) {
    const { tier, monitor, action } = one.rule
    if (one === without || tier === passed) continue
    if (monitor) {
      monitors.push(one)
      continue
    }
    rules.push(one)
    if (action !== 'pass') return { rules, monitors, decision: one }
    passed = tier
  }
  return { rules, monitors, decision: null }
}

/** Calls back with the ways of all packets: at least once for each distinct one. `whole`: to the last rule, not to the second that decides. */
export function forEachWay(
  resolved: ResolvedPolicy,
  classes: readonly PeopledClass[],
  tell: (way: Way, example: PacketClass) => void,
  { whole }: { readonly whole: boolean } = { whole: false },
): void {
  const peersBySide = new Map<number, PeopledClass[]>()
  for (const peer of classes) {
    for (const side of peer.class.signature.unlikeWorld) {
      if (peersBySide.get(side)?.push(peer) === undefined) peersBySide.set(side, [peer])
    }
  }
  const world = classes.find((one) => one.class.signature.tenant === null && one.class.signature.unlikeWorld.size === 0)
  const lists = new Set<string>()
  for (const local of classes) {
    if (local.class.signature.tenant === null) continue
    for (const direction of directions) {
      const rules = selectRules(resolved.index, local.class, direction, whole)
      const key = `${direction}${local.families}:${rules.map((rule) => rule.ordinal).join()}`
      if (lists.has(key)) continue
      lists.add(key)
      const peerSides = new Set(rules.map((rule) => peerSideOf(rule, direction)).filter((side) => side !== anySide))
      // where the world has no address left in some family, each class stands for itself
      const peers =
        world?.families === (v4Bit | v6Bit)
          ? new Set([world, ...[...peerSides].flatMap((side) => peersBySide.get(side) ?? [])])
          : classes
      const patterns = new Set<string>()
      for (const peer of peers) {
        if ((peer.families & local.families) === 0) continue
        const pattern = [...peerSides].filter((side) => peer.class.signature.sides.has(side)).join()
        if (patterns.has(pattern)) continue
        patterns.add(pattern)
        const matching = rules.filter((rule) => matchesPeer(peerSideOf(rule, direction), peer.class))
        for (const [service, way] of waysByService(matching, whole)) tell(way, { direction, local, peer, service })
      }
    }
  }
}

/** Unlike the compiler's, this goes on behind a rule that leaves nothing to those after it: what if it were gone? */
function selectRules(
  index: PolicyIndex,
  local: IdentityClass,
  direction: Direction,
  whole: boolean,
): readonly IndexedRule[] {
  const { tenant, sides } = local.signature
  const rules: IndexedRule[] = []
  let final = 0
  let passes = 0
  for (const one of tenant === null ? [] : index.rulesAt(tenant, direction)) {
    if (!isIn(localSideOf(one, direction), sides) || !isIn(one.applied, sides)) continue
    rules.push(one)
    if (one.rule.action === 'pass') passes += 1
    else if (!one.rule.monitor && peerSideOf(one, direction) === anySide && one.classes === null) final += 1
    if (!whole && final === 2 && passes === 0) break
  }
  return rules
}

function isIn(side: number, sides: ReadonlySet<number>): boolean {
  return side === anySide || sides.has(side)
}

/** For each service class that the rules name, and for all others (null), the rules on its way. */
function waysByService(rules: readonly IndexedRule[], whole: boolean): ReadonlyMap<number | null, Way> {
  const others = new GrowingWay(whole)
  const byClass = new Map<number, GrowingWay>()
  for (const rule of rules) {
    if (rule.classes === null) {
      for (const way of byClass.values()) way.add(rule)
      others.add(rule)
      continue
    }
    for (const number of rule.classes) {
      const way = byClass.get(number) ?? others.copy()
      way.add(rule)
      byClass.set(number, way)
    }
  }
  return new Map<number | null, Way>([
    [null, others.rules],
    ...[...byClass].map(([number, way]) => [number, way.rules] as const),
  ])
}

class GrowingWay {
  readonly rules: IndexedRule[]
  readonly #whole: boolean
  #deciders: number
  #passes: number

  constructor(whole: boolean, rules: readonly IndexedRule[] = [], deciders = 0, passes = 0) {
    this.#whole = whole
    this.rules = [...rules]
    this.#deciders = deciders
    this.#passes = passes
  }

  copy(): GrowingWay {
    return new GrowingWay(this.#whole, this.rules, this.#deciders, this.#passes)
  }

  /** Behind two that decide nothing is asked, even with one of them gone, unless a tier was passed on. */
  add(rule: IndexedRule): void {
    if (!this.#whole && this.#deciders >= 2 && this.#passes === 0) return
    this.rules.push(rule)
    if (rule.rule.monitor) return
    if (rule.rule.action === 'pass') this.#passes += 1
    else this.#deciders += 1
  }
}

/** Equal = the same is done with the packet. */
export function effectOf(decision: IndexedRule | null): string {
  return decision === null ? 'drop' : `${decision.rule.action} ${decision.rule.profile ?? ''}`.trim()
}

function isOpposite(first: IndexedRule, second: IndexedRule): boolean {
  const [a, b] = [first.rule, second.rule]
  if (a.tier !== b.tier || a.tenant !== b.tenant) return false
  return isRefusal(first) !== isRefusal(second) || (a.action === 'inspect') !== (b.action === 'inspect')
}

export function isRefusal({ rule }: IndexedRule): boolean {
  return rule.action === 'drop' || rule.action === 'reject'
}
