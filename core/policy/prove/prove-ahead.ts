/** Which guarantees that hold now will not when rules come or go by schedule or date: told as warnings. */
import type { Diagnostic, GroupName, Policy } from '@hyperward/model'

import { toDiagnostic } from '../document/report.ts'
import { resolve } from '../resolve/resolve.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { activeAt, nextChange, wholeRules } from '../schedule/active-at.ts'
import { describeMoment } from '../schedule/describe-moment.ts'
import { type GuaranteeResult, proveGuarantees } from './prove-guarantees.ts'
import { describeCounterexample } from './tell-proof.ts'

export interface AheadOptions {
  /** Milliseconds since 1970 UTC. */
  readonly now: number
  /** How far schedules are followed, ms; 8 days unless told. Dates are looked at however far they are. */
  readonly horizonMs?: number
  /** How many different sets of rules in force are proved; 16 unless told. */
  readonly most?: number
}

const weekAndDayMs = 8 * 24 * 3_600_000

/** `resolved` and `results`: of the policy as it is now. One warning for each guarantee, at the first moment, and one where not all could be looked at. */
export function proveAhead(
  resolved: ResolvedPolicy,
  results: readonly GuaranteeResult[],
  { now, horizonMs = weekAndDayMs, most = 16 }: AheadOptions,
): readonly Diagnostic[] {
  const { policy, inventory } = resolved
  const seen = new Set([inForceKey(policy)])
  const waiting = new Set<GroupName>(results.flatMap(({ guarantee, holds }) => (holds ? [guarantee.name] : [])))
  const warnings: Diagnostic[] = []
  let previous = resolved
  for (const at of listMoments(policy, now, now + horizonMs)) {
    if (waiting.size === 0) break
    const then = activeAt(policy, at)
    const key = inForceKey(then)
    if (seen.has(key)) continue
    if (seen.size > most) {
      const params = { time: describeMoment(at), most }
      return [...warnings, toDiagnostic('guarantee.not-foreseen', 'guarantees', undefined, params, 'warning')]
    }
    seen.add(key)
    previous = resolve(then, inventory, previous)
    for (const result of proveGuarantees(previous)) {
      const { counterexample } = result
      const { name, path, place } = result.guarantee
      if (counterexample === null || !waiting.delete(name)) continue
      const params = {
        guarantee: name.replace(/^\//, 'provider/'),
        time: describeMoment(at),
        breach: describeCounterexample(counterexample),
      }
      warnings.push(toDiagnostic('guarantee.breaks-later', path, place, params, 'warning'))
    }
  }
  return warnings
}

/** Ascending: every turn within the horizon, and every date behind it. */
function* listMoments(policy: Policy, from: number, until: number): Iterable<number> {
  for (let at = nextChange(policy, from); at !== null && at <= until; at = nextChange(policy, at)) yield at
  const dates = wholeRules(policy).flatMap(({ expires }) =>
    expires === undefined || expires <= until ? [] : [expires],
  )
  yield* [...new Set(dates)].sort((a, b) => a - b)
}

function inForceKey({ inactive = [] }: Policy): string {
  return inactive.map(({ ordinal }) => ordinal).join()
}
