import { draftSchema, publishedSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { readAnswer } from '../read-answer.ts'
import { UsageError } from '../usage-error.ts'

export const policyShow: Run<'policy show'> = async ({ values, context }) => {
  const { out, text, globals } = context
  if (values.draft && values.published) {
    throw UsageError.of('cli.usage.together', { first: '--draft', second: '--published' }, 'policy show')
  }
  const route = values.draft ? 'GET /v1/policy/draft' : 'GET /v1/policy/published'
  const answer = await (await context.connect()).ask(route)
  if (globals.json) return (out.json(answer), 'ok')
  const { text: body } = readAnswer(route, values.draft ? draftSchema : publishedSchema, answer)
  if (body === null) out.errorLine(text(values.draft ? 'cli.said.no-draft' : 'cli.said.nothing-published'))
  else out.raw(body.endsWith('\n') ? body : `${body}\n`)
  return 'ok'
}
