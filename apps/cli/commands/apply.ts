import { draftSchema, planResultSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { readAnswer } from '../read-answer.ts'
import { toDiagnostics, withSources } from '../read-diagnostics.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { tellWarnings } from '../render/tell-warnings.ts'

export const apply: Run<'apply'> = async ({ values, positionals, context }) => {
  const { out, text, globals, io } = context
  const document = await readPolicyDocument(positionals.length === 0 ? ['-'] : positionals, io)
  const sources = toSources(document)
  const center = await context.connect()
  if (values.check) {
    const route = 'POST /v1/policy/plan'
    const answer = await withSources(sources, center.ask(route, { body: document }))
    if (globals.json) return (out.json(answer), 'ok')
    const { warnings } = readAnswer(route, planResultSchema, answer)
    tellWarnings(context, toDiagnostics(warnings), sources)
    out.line(text('cli.said.checked', { warnings: warnings.length === 0 ? '' : warnings.length }))
    return 'ok'
  }
  const route = 'PUT /v1/policy/draft'
  const answer = await withSources(sources, center.ask(route, { body: document }))
  if (globals.json) return (out.json(answer), 'ok')
  const draft = readAnswer(route, draftSchema, answer)
  tellWarnings(context, toDiagnostics(draft.warnings), sources)
  out.line(text('cli.said.applied', { digest: draft.digest?.slice(0, 12) ?? '' }))
  return 'ok'
}
