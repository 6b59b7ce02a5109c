/**
 * What chains do with the packets of connections that stand: our `allow` lets all of them through, so it may be written only where the chains do too.
 */
import type { Hook, Match } from './chain.ts'
import { sameMatch } from './chain.ts'
import { type FlatRule, flattenChains } from './flatten.ts'

export interface Replies {
  /** Every packet of a standing connection passes, but for those in `drops`. */
  readonly pass: boolean
  readonly drops: readonly FlatRule[]
  /** By a rule about the state of connections, not because everything passes there. */
  readonly tracked: boolean
}

const none: Replies = { pass: false, drops: [], tracked: false }

export function readReplies(hooks: readonly Hook[], within: Match): Replies {
  const flat = flattenChains({ hooks, within, world: 'established', stateless: false, report: null })
  const drops: FlatRule[] = []
  for (const rule of flat ?? []) {
    const all = sameMatch(rule.match, within)
    if (rule.action !== 'accept') {
      if (all) return none
      drops.push(rule)
    } else if (all) return { pass: true, drops, tracked: !rule.anyState }
  }
  return none
}
