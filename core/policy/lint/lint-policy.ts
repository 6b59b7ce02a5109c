/**
 * What is doubtful about a policy over one inventory, as warnings. What is said of shadowed, redundant and never-matching rules is exact over all packets:
 * taking all of them out at once changes no verdict. Nothing here keeps a policy from being used.
 */
import type { Diagnostic, RuleRef } from '@hyperward/model'

import { createReport, sortDiagnostics } from '../document/report.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { listPeopledClasses } from './class-families.ts'
import { lintBreadth } from './lint-breadth.ts'
import { lintGroups } from './lint-groups.ts'
import { lintRules } from './lint-rules.ts'
import { lintTimes } from './lint-times.ts'

export interface LintOptions {
  /** Milliseconds since 1970 UTC. */
  readonly now: number
  /** Counters of every host together, by rule; absent = not known, and nothing is said of unused rules. */
  readonly hits?: ReadonlyMap<RuleRef, RuleUse>
  /** How long before its end a rule is told to be expiring; 14 days unless told. */
  readonly expiringWithinMs?: number
}

export interface RuleUse {
  readonly hits: number
  /** Since when it is counted, milliseconds since 1970 UTC; null = not known. */
  readonly since: number | null
}

const fortnightMs = 14 * 24 * 3_600_000

export function lintPolicy(resolved: ResolvedPolicy, options: LintOptions): readonly Diagnostic[] {
  const report = createReport()
  const idle = lintRules(resolved, listPeopledClasses(resolved), report)
  lintTimes(resolved.policy, { expiringWithinMs: fortnightMs, ...options }, idle, report)
  lintBreadth(resolved.policy, report)
  lintGroups(resolved, report)
  return sortDiagnostics(report.diagnostics)
}
