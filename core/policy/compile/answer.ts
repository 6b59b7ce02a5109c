/** What rules in their order say to one peer, for every service class at once. */
import type { Action, RuleTier } from '@hyperward/model'

import { anySide, type IndexedRule } from '../resolve/policy-index.ts'
import type { IdentityClass } from '../resolve/resolved-policy.ts'
import { peerSideOf } from '../resolve/rule-order.ts'
import type { LocalRules } from './local-rules.ts'

export interface Decision {
  /** Null = no rule decides: the default drop. */
  readonly rule: IndexedRule | null
  /** The first rule in monitor mode that would have decided before it. */
  readonly monitor: IndexedRule | null
}

export interface Answer {
  readonly byClass: ReadonlyMap<number, Decision>
  /** For every class not listed, class 0 (what no rule names) among them. */
  readonly rest: Decision
}

export function answerOfPeer(local: LocalRules, peer: IdentityClass): Answer {
  return answerOfRules(local.rules.filter((rule) => matchesPeer(peerSideOf(rule, local.direction), peer)))
}

export function matchesPeer(side: number, peer: Pick<IdentityClass, 'signature'>): boolean {
  return side === anySide || peer.signature.sides.has(side)
}

export function actionOf({ rule }: Decision): Action {
  const action = rule?.rule.action ?? 'drop'
  if (action === 'pass') throw new Error('a pass rule never decides')
  return action
}

export function sameDecision(a: Decision, b: Decision): boolean {
  return a.rule === b.rule && a.monitor === b.monitor
}

/** `rules`: those that match the peer and the local endpoint, in order. */
export function answerOfRules(rules: readonly IndexedRule[]): Answer {
  const rest: Walk = { rule: null, monitor: null, passed: null }
  const byClass = new Map<number, Walk>()
  for (const rule of rules) {
    if (rule.classes === null) {
      for (const walk of byClass.values()) step(walk, rule)
      step(rest, rule)
      // whatever class is not listed is decided, and those listed were asked before
      if (rest.rule !== null && allDecided(byClass)) break
    } else if (rest.rule === null) {
      for (const number of rule.classes) {
        const walk = byClass.get(number)
        if (walk !== undefined) step(walk, rule)
        else {
          const made = { ...rest }
          step(made, rule)
          byClass.set(number, made)
        }
      }
    } else for (const number of rule.classes) stepKnown(byClass.get(number), rule)
  }
  return { byClass, rest }
}

/** A decision being made. `passed`: the tier it was handed down from. */
interface Walk {
  rule: IndexedRule | null
  monitor: IndexedRule | null
  passed: RuleTier | null
}

function step(walk: Walk, rule: IndexedRule): void {
  const { tier, monitor, action } = rule.rule
  if (walk.rule !== null || walk.passed === tier) return
  if (monitor) {
    if (action !== 'pass') walk.monitor ??= rule
  } else if (action === 'pass') walk.passed = tier
  else walk.rule = rule
}

/** After `rest` is decided only a class that was handed down is still open. */
function stepKnown(walk: Walk | undefined, rule: IndexedRule): void {
  if (walk !== undefined) step(walk, rule)
}

function allDecided(byClass: ReadonlyMap<number, Walk>): boolean {
  for (const walk of byClass.values()) if (walk.rule === null) return false
  return true
}
