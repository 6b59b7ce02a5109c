/** `diff` with files instead of a center: two policies over one inventory, by the same comparison the center runs, in the form of its API. */
import type { Diagnostic } from '@hyperward/model'
import { listChanges, resolve } from '@hyperward/policy'
import type { ApiDiffResult } from '@hyperward/protocol'

import type { Io } from './command.ts'
import type { Sources } from './failures.ts'
import { loadInventory, loadPolicy } from './offline.ts'
import { readDocument } from './read-document.ts'
import { readPolicyDocument, toSources } from './read-policy.ts'
import { diffRuleLists, type ChangedRule } from './rule-list-diff.ts'

export interface FileDiff {
  readonly result: ApiDiffResult
  readonly rules: readonly ChangedRule[]
  readonly warnings: readonly Diagnostic[]
  readonly sources: Sources
}

const changesLimit = 200

export async function diffFiles(
  paths: { readonly before: readonly string[]; readonly after: readonly string[]; readonly inventory: string },
  io: Pick<Io, 'stdin'>,
): Promise<FileDiff> {
  const before = loadPolicy(await readPolicyDocument(paths.before, io))
  const after = loadPolicy(await readPolicyDocument(paths.after, io))
  const inventory = loadInventory(await readDocument(paths.inventory, io))
  const changes = listChanges(resolve(before.value, inventory.value), resolve(after.value, inventory.value), {
    changes: changesLimit,
    members: Number.POSITIVE_INFINITY,
  })
  return {
    result: { published: 0, ...changes, warnings: [] },
    rules: diffRuleLists(before.value, after.value),
    warnings: [...after.warnings, ...inventory.warnings],
    sources: toSources(after.document, inventory.document),
  }
}
