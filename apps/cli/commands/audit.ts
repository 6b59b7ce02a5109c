import { auditSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { toLocalTime } from '../render/to-words.ts'

export const audit: Run<'audit'> = async ({ values, context }) => {
  const { out, text, globals } = context
  const limit = values.limit === undefined ? undefined : parseWholeNumber('--limit', values.limit, 1, 10_000)
  const route = 'GET /v1/audit'
  const answer = await (await context.connect()).ask(route, { query: { limit } })
  if (globals.json) return (out.json(answer), 'ok')
  out.table(
    [
      { title: text('cli.column.time') },
      { title: text('cli.column.who') },
      { title: text('cli.column.action') },
      { title: text('cli.column.target') },
      { title: text('cli.column.outcome') },
    ],
    readAnswer(route, auditSchema, answer).records.map(({ at, who, action, target, outcome }) => [
      toLocalTime(at),
      who,
      action,
      target,
      outcome,
    ]),
  )
  return 'ok'
}
