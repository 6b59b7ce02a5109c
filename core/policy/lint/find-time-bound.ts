/** What is said of a rule now must hold at every hour before anybody is told to take the rule out. */
import type { Policy, RuleRef } from '@hyperward/model'

import { resolve } from '../resolve/resolve.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { wholeRules } from '../schedule/active-at.ts'
import { listPeopledClasses } from './class-families.ts'
import { forEachWay } from './survey-rules.ts'

/** Rules that some packet meets on its way together with another that comes or goes by its schedule or date. An expired rule comes no more. */
export function findTimeBound(resolved: ResolvedPolicy): ReadonlySet<RuleRef> {
  const { policy, inventory } = resolved
  const expired = new Set(policy.inactive?.flatMap(({ rule, reason }) => (reason === 'expired' ? [rule] : [])))
  const rules = wholeRules(policy).filter((rule) => !expired.has(rule))
  const timed = new Set(
    rules.flatMap(({ ref, schedule, expires }) => (schedule === undefined && expires === undefined ? [] : [ref])),
  )
  const bound = new Set<RuleRef>()
  if (timed.size === 0) return bound
  const whole: Policy = { ...policy, rules }
  const everAll = rules.length === policy.rules.length ? resolved : resolve(whole, inventory, resolved)
  forEachWay(
    everAll,
    listPeopledClasses(everAll),
    (way) => {
      const onWay = way.filter(({ rule }) => timed.has(rule.ref))
      if (onWay.length === 0) return
      for (const one of way) if (onWay.length > 1 || onWay[0] !== one) bound.add(one.rule.ref)
    },
    { whole: true },
  )
  return bound
}
