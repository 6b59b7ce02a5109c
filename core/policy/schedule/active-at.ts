/** A policy at a moment. The clock is the caller's: core has none. */
import type { InactiveRule, Policy, Rule, Schedule } from '@hyperward/model'

import { createScheduleTimes, type ScheduleTimes } from './schedule-times.ts'

/** The policy with the rules that hold at `nowMs` only; the same object when none is left out. A policy that this gave before is taken whole again. */
export function activeAt(policy: Policy, nowMs: number): Policy {
  const timesOf = createTimesOf()
  const held = new Map<Schedule, boolean>()
  const holds = (schedule: Schedule): boolean => {
    const known = held.get(schedule) ?? timesOf(schedule).holds(nowMs)
    held.set(schedule, known)
    return known
  }
  const rules: Rule[] = []
  const inactive: InactiveRule[] = []
  for (const [ordinal, rule] of wholeRules(policy).entries()) {
    if (rule.expires !== undefined && rule.expires <= nowMs) inactive.push({ rule, ordinal, reason: 'expired' })
    else if (rule.schedule !== undefined && !holds(rule.schedule)) inactive.push({ rule, ordinal, reason: 'schedule' })
    else rules.push(rule)
  }
  if (sameInactive(policy.inactive ?? [], inactive)) return policy
  const { inactive: _, ...rest } = policy
  return inactive.length === 0 ? { ...rest, rules } : { ...rest, rules, inactive }
}

/** The first moment after `nowMs` at which a rule comes or goes; null = never again. */
export function nextChange(policy: Policy, nowMs: number): number | null {
  const timesOf = createTimesOf()
  const toggles = new Map<Schedule, number>()
  const toggle = (schedule: Schedule): number => {
    const known = toggles.get(schedule) ?? timesOf(schedule).nextToggle(nowMs) ?? Number.POSITIVE_INFINITY
    toggles.set(schedule, known)
    return known
  }
  let next = Number.POSITIVE_INFINITY
  for (const { expires = Number.POSITIVE_INFINITY, schedule } of wholeRules(policy)) {
    if (expires <= nowMs) continue
    if (schedule === undefined) next = Math.min(next, expires)
    else if (timesOf(schedule).holds(nowMs)) next = Math.min(next, expires, toggle(schedule))
    else if (toggle(schedule) < expires) next = Math.min(next, toggle(schedule))
  }
  return Number.isFinite(next) ? next : null
}

/** The rules as parsed, in their order. */
export function wholeRules({ rules, inactive }: Policy): readonly Rule[] {
  if (inactive === undefined) return rules
  const whole = [...rules]
  for (const { rule, ordinal } of inactive.toSorted((a, b) => a.ordinal - b.ordinal)) whole.splice(ordinal, 0, rule)
  return whole
}

function sameInactive(before: readonly InactiveRule[], after: readonly InactiveRule[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ rule, reason }, index) => rule === after[index]?.rule && reason === after[index].reason)
  )
}

/** The parser gives all rules of a schedule one object, so that each schedule is prepared once. */
function createTimesOf(): (schedule: Schedule) => ScheduleTimes {
  const known = new Map<Schedule, ScheduleTimes>()
  return (schedule) => {
    const times = known.get(schedule) ?? createScheduleTimes(schedule)
    known.set(schedule, times)
    return times
  }
}
