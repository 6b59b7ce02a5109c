/** Policy and inventory from files, with no center: the same functions of core/policy that the center runs. */
import { createHash } from 'node:crypto'

import { compile, parseInventory, parsePolicy, resolve, validateAgainst, type Compilation } from '@hyperward/policy'
import { parseRevision, type Diagnostic, type Inventory, type Parsed, type Policy } from '@hyperward/model'

import { DocumentFailure } from './failures.ts'
import type { Document } from './read-document.ts'
import { toSources } from './read-policy.ts'

export interface Loaded<T> {
  readonly value: T
  readonly warnings: readonly Diagnostic[]
  readonly document: Document
}

export function loadPolicy(document: Document): Loaded<Policy> {
  return accept(parsePolicy(document.text, document.file), document)
}

export function loadInventory(document: Document): Loaded<Inventory> {
  return accept(parseInventory(document.text, document.file), document)
}

function accept<T>(parsed: Parsed<T>, document: Document): Loaded<T> {
  if (parsed.ok) return { value: parsed.value, warnings: parsed.warnings, document }
  const sources = toSources(document)
  throw new DocumentFailure(parsed.diagnostics, sources, { code: 'policy.invalid', diagnostics: parsed.diagnostics })
}

export interface OfflineCompilation {
  readonly compilation: Compilation
  readonly warnings: readonly Diagnostic[]
  readonly sources: ReadonlyMap<string, string>
}

export function compileOffline(policy: Loaded<Policy>, inventory: Loaded<Inventory>): OfflineCompilation {
  const revision = parseRevision(1)
  if (revision === null) throw new Error('revision 1 is a revision')
  const resolved = resolve(policy.value, inventory.value)
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
  return {
    compilation: compile(resolved, { revision, sha256 }),
    warnings: [
      ...policy.warnings,
      ...inventory.warnings,
      ...validateAgainst(policy.value, inventory.value),
      ...resolved.problems,
    ],
    sources: toSources(policy.document, inventory.document),
  }
}
