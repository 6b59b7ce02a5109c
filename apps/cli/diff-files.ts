/** `diff` with files instead of a center: two policies over one inventory, by the same comparison the center runs, in the form of its API. */
import { resolve, diffPolicies, type DiffParty, type DiffVerdict } from '@hyperward/policy'
import type { Diagnostic, Rule } from '@hyperward/model'
import type { ApiDiffResult, ApiVerdictChange } from '@hyperward/protocol'

import type { Io } from './command.ts'
import type { Sources } from './failures.ts'
import { loadInventory, loadPolicy } from './offline.ts'
import { readDocument } from './read-document.ts'
import { diffRuleLists, type ChangedRule } from './rule-list-diff.ts'

export interface FileDiff {
  readonly result: ApiDiffResult
  readonly rules: readonly ChangedRule[]
  readonly warnings: readonly Diagnostic[]
  readonly sources: Sources
}

const changesLimit = 200

export async function diffFiles(
  paths: { readonly before: string; readonly after: string; readonly inventory: string },
  io: Pick<Io, 'stdin'>,
): Promise<FileDiff> {
  const before = loadPolicy(await readDocument(paths.before, io))
  const after = loadPolicy(await readDocument(paths.after, io))
  const inventory = loadInventory(await readDocument(paths.inventory, io))
  const { entries, total } = diffPolicies(
    resolve(before.value, inventory.value),
    resolve(after.value, inventory.value),
    changesLimit,
  )
  const rules = new Map([...before.value.rules, ...after.value.rules].map((rule) => [rule.ref, rule]))
  const changes = entries.map((entry) => ({
    source: toMembers(entry.sources),
    destination: toMembers(entry.destinations),
    services: [...entry.services],
    before: toDecided(entry.before, rules),
    after: toDecided(entry.after, rules),
  }))
  return {
    result: { published: 0, changes, more: total - changes.length, warnings: [] },
    rules: diffRuleLists(before.value, after.value),
    warnings: [...after.warnings, ...inventory.warnings],
    sources: new Map([after, inventory].map(({ document }) => [document.file, document.text])),
  }
}

function toMembers(parties: readonly DiffParty[]): ApiVerdictChange['source'] {
  const all = parties.flatMap(({ tenant, vms, addresses, networks, world }) => [
    ...(vms.length > 0 ? vms.map((vm) => (tenant === null ? vm : `${tenant}/${vm}`)) : addresses),
    ...networks,
    ...(world ? ['world'] : []),
  ])
  return { members: [...new Set(all)].sort(), more: 0 }
}

function toDecided({ action, rule: ref }: DiffVerdict, rules: ReadonlyMap<string, Rule>): ApiVerdictChange['before'] {
  const rule = ref === null ? undefined : rules.get(ref)
  const origin =
    rule === undefined
      ? { ref: ref ?? '', tier: 'builtin' as const, tenant: null, policy: 'default', name: 'drop' }
      : { ref: rule.ref, tier: rule.tier, tenant: rule.tenant, policy: rule.policy, name: rule.name }
  return { action: action === 'not-enforced' ? 'drop' : action, rule: origin }
}
