/** A comparison of two policies as a list for readers, in the form of the API: the center tells it, and so does a CLI that has two files and no center. */
import { type Action, defaultDropRef, type RuleOrigin, toRuleOrigin } from '@hyperward/model'

import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import type { Party } from '../symbolic/describe-parties.ts'
import type { DiffVerdict } from './compare-fates.ts'
import { diffPolicies } from './diff-policies.ts'

/** VMs as `tenant/vm`, addresses, networks, `world`; `more` are left out. The arrays are made for the caller. */
export interface ChangeMembers {
  readonly members: string[]
  readonly more: number
}

export interface ChangeVerdict {
  readonly action: Action
  readonly rule: RuleOrigin
}

export interface VerdictChange {
  readonly source: ChangeMembers
  readonly destination: ChangeMembers
  readonly services: string[]
  readonly before: ChangeVerdict
  readonly after: ChangeVerdict
}

/** Worst first, as {@link diffPolicies} orders them. */
export interface ChangeList {
  readonly changes: VerdictChange[]
  readonly more: number
}

export interface ChangeLimits {
  readonly changes: number
  readonly members: number
}

export function listChanges(before: ResolvedPolicy, after: ResolvedPolicy, limits: ChangeLimits): ChangeList {
  const { entries, total } = diffPolicies(before, after, { entries: limits.changes })
  const changes = entries.map((entry) => ({
    source: toMembers(entry.sources, limits.members),
    destination: toMembers(entry.destinations, limits.members),
    services: [...entry.services.texts],
    before: toVerdict(entry.before),
    after: toVerdict(entry.after),
  }))
  return { changes, more: total - changes.length }
}

function toMembers(parties: readonly Party[], limit: number): ChangeMembers {
  const all = parties.flatMap(({ vms, addresses, networks, world }) => [
    ...(vms.length > 0 ? vms : addresses),
    ...networks,
    ...(world ? ['world'] : []),
  ])
  const members = [...new Set(all)].sort()
  return { members: members.slice(0, limit), more: Math.max(0, members.length - limit) }
}

/** Where nothing of ours decides, nothing is said to be allowed. */
function toVerdict({ action, rule }: DiffVerdict): ChangeVerdict {
  return { action: action === 'not-enforced' ? 'drop' : action, rule: toRuleOrigin(rule ?? defaultDropRef) }
}
