import type { Diagnostic } from '@hyperward/model'
import { lintResultSchema } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import { ExpectationFailure, type Sources } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'
import { toDiagnostics, withSources } from '../read-diagnostics.ts'
import { readDocument } from '../read-document.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { renderDiagnostics } from '../render/render-diagnostics.ts'
import { UsageError } from '../usage-error.ts'

interface Linted {
  readonly findings: readonly Diagnostic[]
  readonly sources: Sources
  /** What `--json` prints. */
  readonly answer: unknown
}

/** Findings are the result, and so go to stdout. */
export const lint: Run<'lint'> = async ({ values, positionals, context }) => {
  const { out, text, locale, globals } = context
  if (values.hits !== undefined && values.inventory === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--hits', second: '--inventory' }, 'lint')
  const { findings, sources, answer } =
    values.inventory === undefined
      ? await lintOnline(context, positionals)
      : await lintFiles(context, positionals, values.inventory, values.hits)
  if (globals.json) out.json(answer)
  else {
    renderDiagnostics(locale, findings, sources, out.style).forEach(out.styledLine)
    out.line(findings.length === 0 ? text('cli.said.lint-none') : text('cli.said.lint-found', { n: findings.length }))
  }
  if (values['exit-code'] && findings.length > 0)
    throw new ExpectationFailure(text('cli.said.lint-found', { n: findings.length }))
  return 'ok'
}

async function lintFiles(
  { io }: CommandContext,
  paths: readonly string[],
  inventoryPath: string,
  hitsPath: string | undefined,
): Promise<Linted> {
  if (paths.length === 0) throw UsageError.of('cli.usage.needs', { first: '--inventory', second: 'FILE' }, 'lint')
  const { activeAt, lintPolicy, resolve, validateAgainst } = await import('@hyperward/policy')
  const { loadInventory, loadPolicy } = await import('../offline.ts')
  const policy = loadPolicy(await readPolicyDocument(paths, io))
  const inventory = loadInventory(await readDocument(inventoryPath, io))
  const now = io.now().getTime()
  const resolved = resolve(activeAt(policy.value, now), inventory.value)
  const hits = hitsPath === undefined ? undefined : await (await import('../read-records.ts')).readHits(hitsPath, io)
  const findings = [
    ...policy.warnings,
    ...validateAgainst(policy.value, inventory.value),
    ...lintPolicy(resolved, { now, ...(hits === undefined ? {} : { hits }) }),
  ]
  return { findings, sources: toSources(policy.document), answer: { findings } }
}

async function lintOnline(context: CommandContext, paths: readonly string[]): Promise<Linted> {
  const document = paths.length === 0 ? null : await readPolicyDocument(paths, context.io)
  const sources: Sources = document === null ? new Map() : toSources(document)
  const center = await context.connect()
  const route = 'POST /v1/policy/lint'
  const answer = await withSources(sources, center.ask(route, { body: document ?? {} }))
  return { findings: toDiagnostics(readAnswer(route, lintResultSchema, answer).findings), sources, answer }
}
