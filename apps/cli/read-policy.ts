/** A policy as files: one, several, or those of a directory. Several become one text that keeps their names (bundlePolicyFiles), so that diagnostics name them. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'
import { bundlePolicyFiles, splitBundle } from '@hyperward/policy'

import type { Io } from './command.ts'
import { readDocument, type Document } from './read-document.ts'

/** What to name a text of several files. */
const bundleName = 'policy.yaml'

/** `paths`: one at least; `-` is standard input. */
export async function readPolicyDocument(paths: readonly string[], io: Pick<Io, 'stdin'>): Promise<Document> {
  const files: string[] = []
  for (const path of paths) files.push(...(path === '-' ? [path] : await listFiles(path)))
  const documents: Document[] = []
  for (const file of files) documents.push(await readDocument(file, io))
  const [only] = documents
  if (only !== undefined && documents.length === 1) return only
  return { file: bundleName, text: bundlePolicyFiles(documents) }
}

/** The texts that diagnostics of a policy may point into, by their names. */
export function toSources(...documents: readonly Document[]): ReadonlyMap<string, string> {
  return new Map(documents.flatMap(({ file, text }) => splitBundle(text, file)).map(({ file, text }) => [file, text]))
}

/** A directory stands for the YAML files in it, in the order of their names, without those of directories in it. */
export async function listFiles(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const names = (await readdir(path, { withFileTypes: true }))
      .filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name) && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort()
    if (names.length > 0) return names.map((name) => join(path, name))
  } catch (cause) {
    const message = `${path} could not be read (${errnoCode(cause) ?? String(cause)})`
    throw new OperationError('os.file-unreadable', message, { path }, cause)
  }
  throw new OperationError('os.file-unreadable', `${path} has no .yaml file in it`, { path })
}
