/**
 * How bad a change is for someone who protects: what opens comes first, what closes last. Inside one severity the wider change comes first
 * (diff-policies.ts), so that a reader who stops early has seen the worst.
 */
import type { DiffVerdict } from './compare-fates.ts'

/** Worst first. */
export const severities = [
  /** Was refused, passes uninspected now. */
  'opened',
  /** Was inspected, passes uninspected now. */
  'uninspected',
  /** Was refused, passes through a gateway now. */
  'opened-inspected',
  /** Is inspected under another profile. */
  'other-profile',
  /** Passes as before, but with connection state where there was none, or without. */
  'other-state',
  /** Was passing uninspected, is inspected now. */
  'inspected',
  /** Passed, is refused now. */
  'closed',
  /** Is refused in another way. */
  'other-refusal',
  /** An endpoint came or went: what is said of one that is not there is that nothing is enforced. */
  'other-endpoints',
] as const

export type Severity = (typeof severities)[number]

export function severityOf(before: Pick<DiffVerdict, 'action'>, after: Pick<DiffVerdict, 'action'>): Severity {
  const [first, second] = [before.action, after.action]
  if (first === 'not-enforced' || second === 'not-enforced') return 'other-endpoints'
  const [refusedBefore, refusedAfter] = [isRefusal(first), isRefusal(second)]
  if (refusedBefore && refusedAfter) return 'other-refusal'
  if (refusedAfter) return 'closed'
  if (refusedBefore) return second === 'inspect' ? 'opened-inspected' : 'opened'
  if (first === 'inspect') return second === 'inspect' ? 'other-profile' : 'uninspected'
  return second === 'inspect' ? 'inspected' : 'other-state'
}

function isRefusal(action: DiffVerdict['action']): boolean {
  return action === 'drop' || action === 'reject'
}
