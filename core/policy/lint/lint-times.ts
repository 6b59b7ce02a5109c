/** What time has done to rules: those over or soon over, those that only ever watch, and those that nothing met. */
import type { Policy, Rule } from '@hyperward/model'

import type { Report } from '../document/report.ts'
import type { LintOptions } from './lint-policy.ts'
import { describeMoment } from '../schedule/describe-moment.ts'
import { nameRule } from './name-rule.ts'

type TimeOptions = LintOptions & { readonly expiringWithinMs: number }

/** `dead`: of these something worse is said than that nothing met them. */
export function lintTimes(policy: Policy, options: TimeOptions, dead: ReadonlySet<Rule>, report: Report): void {
  const { now, hits, expiringWithinMs } = options
  for (const { rule, reason } of policy.inactive ?? []) if (reason === 'expired') tellExpired(rule, report)
  for (const rule of policy.rules) {
    const params = { rule: nameRule(rule) }
    const { expires } = rule
    if (expires !== undefined && expires <= now) tellExpired(rule, report)
    else if (expires !== undefined && expires - now <= expiringWithinMs)
      report.add('lint.expiring', rule.ref, rule.place, { ...params, date: describeMoment(expires) }, 'warning')
    if (rule.monitor) {
      if (expires === undefined) report.add('lint.monitor-forgotten', rule.ref, rule.place, params, 'warning')
      continue
    }
    // what passes on decides nothing, and is not counted
    if (hits === undefined || rule.action === 'pass' || dead.has(rule)) continue
    const use = hits.get(rule.ref)
    if (use !== undefined && use.hits === 0) {
      const since = use.since === null ? '' : describeMoment(use.since)
      report.add('lint.unused-rule', rule.ref, rule.place, { ...params, since }, 'warning')
    }
  }
}

function tellExpired(rule: Rule, report: Report): void {
  const params = { rule: nameRule(rule), date: rule.expires === undefined ? '' : describeMoment(rule.expires) }
  report.add('lint.expired', rule.ref, rule.place, params, 'warning')
}
