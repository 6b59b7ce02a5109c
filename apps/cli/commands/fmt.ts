import { realpath, stat } from 'node:fs/promises'

import { writeFileAtomic } from '@hyperward/os'
import { formatPolicy } from '@hyperward/policy'

import type { Run } from '../command.ts'
import { DocumentFailure } from '../failures.ts'
import { readDocument, type Document } from '../read-document.ts'
import { listFiles } from '../read-policy.ts'
import { UsageError } from '../usage-error.ts'

/** Prints one document, or tells or writes those that are laid out otherwise. Nothing is written when one of them cannot be read as a document. */
export const fmt: Run<'fmt'> = async ({ values: { check, write }, positionals, context }) => {
  const { out, text, globals, io } = context
  if (check && write) throw UsageError.of('cli.usage.together', { first: '--check', second: '--write' }, 'fmt')
  if (write && positionals.includes('-'))
    throw UsageError.of('cli.usage.together', { first: '-', second: '--write' }, 'fmt')
  const files: string[] = []
  for (const path of positionals) files.push(...(path === '-' ? [path] : await listFiles(path)))
  if (files.length > 1 && !check && !write)
    throw UsageError.of('cli.usage.needs', { first: 'FILE FILE', second: '--write' }, 'fmt')
  const documents: { readonly path: string; readonly document: Document; readonly formatted: string }[] = []
  for (const path of files) {
    const document = await readDocument(path, io)
    documents.push({ path, document, formatted: format(document) })
  }
  const changed = documents.filter(({ document, formatted }) => document.text !== formatted)
  if (write) for (const { path, formatted } of changed) await rewrite(path, formatted)
  if (!check && !write && !globals.json) {
    for (const { formatted } of documents) out.raw(formatted)
    return 'ok'
  }
  if (globals.json)
    out.json(
      documents.map(({ document, formatted }) => ({
        file: document.file,
        changed: document.text !== formatted,
        formatted,
      })),
    )
  else
    for (const { document } of changed)
      out.line(text(write ? 'cli.said.fmt-written' : 'cli.said.fmt-differs', { file: document.file }))
  return check && changed.length > 0 ? 'failed' : 'ok'
}

function format(document: Document): string {
  const formatted = formatPolicy(document.text, document.file)
  if (formatted.ok) return formatted.value
  const { diagnostics } = formatted
  const sources = new Map([[document.file, document.text]])
  throw new DocumentFailure(diagnostics, sources, { code: 'policy.invalid', diagnostics })
}

/** The file a link points to, with the rights it had. */
async function rewrite(path: string, content: string): Promise<void> {
  const target = await realpath(path)
  await writeFileAtomic(target, content, { mode: (await stat(target)).mode & 0o777 })
}
