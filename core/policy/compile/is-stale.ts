import type { HostPlan } from '@hyperward/model'

type PlanHead = Pick<HostPlan, 'host' | 'revision' | 'digest'>

/** True when an offered plan must not replace the one held: older, of another host, or another content under the revision held. Equal in all three is not stale. */
export function isStale(held: PlanHead, offered: PlanHead): boolean {
  if (held.host !== offered.host || offered.revision < held.revision) return true
  return offered.revision === held.revision && offered.digest !== held.digest
}
