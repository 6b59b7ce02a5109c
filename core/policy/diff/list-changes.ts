/** A comparison of two policies as a list for readers, in the form of the API: the center tells it, and so does a CLI that has two files and no center. */
import { type Action, defaultDropRef, type RuleOrigin, toRuleOrigin } from '@hyperward/model'

import type { FlowVerdict } from '../explain/combine-verdicts.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import type { Party } from '../symbolic/describe-parties.ts'
import type { DiffVerdict } from './compare-fates.ts'
import { diffPolicies, type PolicyDiff } from './diff-policies.ts'

/** VMs as `tenant/vm`, addresses, networks, `world`; `more` are left out. The arrays are made for the caller. */
export interface ChangeMembers {
  readonly members: string[]
  readonly more: number
}

export interface ChangeVerdict<A = Action> {
  readonly action: A
  readonly rule: RuleOrigin
}

export interface VerdictChange<A = Action> {
  readonly source: ChangeMembers
  readonly destination: ChangeMembers
  readonly services: string[]
  readonly before: ChangeVerdict<A>
  readonly after: ChangeVerdict<A>
}

/** Worst first, as {@link diffPolicies} orders them. */
export interface ChangeList<A = Action> {
  readonly changes: VerdictChange<A>[]
  readonly more: number
}

export interface ChangeLimits {
  readonly changes: number
  readonly members: number
}

/** Over one inventory. Where nothing of ours decides, nothing is said to be allowed. */
export function listChanges(before: ResolvedPolicy, after: ResolvedPolicy, limits: ChangeLimits): ChangeList {
  const { changes, more } = toChangeList(diffPolicies(before, after, { entries: limits.changes }), limits.members)
  const narrow = ({ action, rule }: ChangeVerdict<FlowVerdict>): ChangeVerdict => ({
    action: action === 'not-enforced' ? 'drop' : action,
    rule,
  })
  return {
    changes: changes.map((change) => ({ ...change, before: narrow(change.before), after: narrow(change.after) })),
    more,
  }
}

export function toChangeList({ entries, total }: PolicyDiff, members: number): ChangeList<FlowVerdict> {
  const changes = entries.map((entry) => ({
    source: toMembers(entry.sources, members),
    destination: toMembers(entry.destinations, members),
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

function toVerdict({ action, rule }: DiffVerdict): ChangeVerdict<FlowVerdict> {
  return { action, rule: toRuleOrigin(rule ?? defaultDropRef) }
}
