import type { Diagnostic } from '@hyperward/model'
import { proveResultSchema, type ApiProveResult } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import { ExpectationFailure, type Sources } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'
import { toDiagnostics, withSources } from '../read-diagnostics.ts'
import { readDocument } from '../read-document.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { renderGuarantee } from '../render/render-guarantee.ts'
import { tellWarnings } from '../render/tell-warnings.ts'
import { UsageError } from '../usage-error.ts'

interface Proved {
  readonly guarantees: ApiProveResult['guarantees']
  readonly warnings: readonly Diagnostic[]
  readonly sources: Sources
  /** What `--json` prints. */
  readonly answer: unknown
}

/** Ends with 1 when a guarantee does not hold. */
export const prove: Run<'prove'> = async ({ values, positionals, context }) => {
  const { out, text, globals } = context
  const { guarantees, warnings, sources, answer } =
    values.inventory === undefined
      ? await proveOnline(context, positionals)
      : await proveFiles(context, positionals, values.inventory)
  const broken = guarantees.filter(({ holds }) => !holds)
  if (globals.json) out.json(answer)
  else {
    tellWarnings(context, warnings, sources)
    for (const result of guarantees) renderGuarantee(result, text, out.style).forEach(out.styledLine)
    if (guarantees.length === 0) out.line(text('cli.said.no-guarantees'))
  }
  if (broken.length === 0) return 'ok'
  throw new ExpectationFailure(text('cli.said.guarantees-broken', { n: broken.length, total: guarantees.length }))
}

async function proveFiles({ io }: CommandContext, paths: readonly string[], inventoryPath: string): Promise<Proved> {
  if (paths.length === 0) throw UsageError.of('cli.usage.needs', { first: '--inventory', second: 'FILE' }, 'prove')
  const { activeAt, proveAhead, proveGuarantees, resolve, tellProof, validateAgainst } =
    await import('@hyperward/policy')
  const { loadInventory, loadPolicy } = await import('../offline.ts')
  const policy = loadPolicy(await readPolicyDocument(paths, io))
  const inventory = loadInventory(await readDocument(inventoryPath, io))
  const now = io.now().getTime()
  const resolved = resolve(activeAt(policy.value, now), inventory.value)
  const results = proveGuarantees(resolved)
  const warnings = [
    ...policy.warnings,
    ...inventory.warnings,
    ...validateAgainst(policy.value, inventory.value),
    ...resolved.problems,
    ...proveAhead(resolved, results, { now }),
  ]
  const sources = toSources(policy.document, inventory.document)
  const guarantees = results.map(tellProof)
  return { guarantees, warnings, sources, answer: { guarantees, warnings } }
}

async function proveOnline(context: CommandContext, paths: readonly string[]): Promise<Proved> {
  const document = paths.length === 0 ? null : await readPolicyDocument(paths, context.io)
  const sources: Sources = document === null ? new Map() : toSources(document)
  const center = await context.connect()
  const route = 'POST /v1/policy/prove'
  const answer = await withSources(sources, center.ask(route, { body: document ?? {} }))
  const { guarantees, warnings } = readAnswer(route, proveResultSchema, answer)
  return { guarantees, warnings: toDiagnostics(warnings), sources, answer }
}
