/** `diff` with files instead of a center: two policies, or one under two inventories, by the same comparison the center runs. */
import type { Diagnostic } from '@hyperward/model'
import {
  listRuleChanges,
  type ChangedRule,
  activeAt,
  diffPolicies,
  resolve,
  toChangeList,
  type PolicyDiff,
} from '@hyperward/policy'

import type { Io } from './command.ts'
import type { Sources } from './failures.ts'
import { loadInventory, loadPolicy } from './offline.ts'
import { readDocument } from './read-document.ts'
import { readPolicyDocument, toSources } from './read-policy.ts'

export interface DiffPaths {
  readonly after: readonly string[]
  readonly inventory: string
  /** What stands before; absent = the same as after. */
  readonly before: readonly string[] | undefined
  readonly inventoryBefore: string | undefined
}

export interface FileDiff {
  readonly diff: PolicyDiff
  /** In the form of the API, with `not-enforced` besides: an endpoint of one inventory may not be in the other. */
  readonly answer: unknown
  readonly rules: readonly ChangedRule[]
  readonly warnings: readonly Diagnostic[]
  readonly sources: Sources
}

/** More than a center may spend on one question. */
const pairsLimit = 100_000_000

export async function diffFiles(paths: DiffPaths, io: Pick<Io, 'stdin' | 'now'>): Promise<FileDiff> {
  const after = loadPolicy(await readPolicyDocument(paths.after, io))
  const before = paths.before === undefined ? after : loadPolicy(await readPolicyDocument(paths.before, io))
  const inventory = loadInventory(await readDocument(paths.inventory, io))
  const inventoryBefore =
    paths.inventoryBefore === undefined ? inventory : loadInventory(await readDocument(paths.inventoryBefore, io))
  const now = io.now().getTime()
  const second = resolve(activeAt(after.value, now), inventory.value)
  const first = resolve(before === after ? second.policy : activeAt(before.value, now), inventoryBefore.value)
  const diff = diffPolicies(first, second, { pairs: pairsLimit })
  return {
    diff,
    answer: { published: 0, ...toChangeList(diff, Number.POSITIVE_INFINITY), warnings: [] },
    rules: listRuleChanges(before.value, after.value),
    warnings: [...after.warnings, ...inventory.warnings],
    sources: toSources(after.document, inventory.document),
  }
}
