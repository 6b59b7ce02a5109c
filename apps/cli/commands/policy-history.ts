import { publicationSchema, publicationsSchema } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import type { ExitName } from '../exit-codes.ts'
import { parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { publicationTable } from '../render/publication-table.ts'
import { toLocalTime } from '../render/to-words.ts'

export const policyHistory: Run<'policy history'> = async ({ positionals: [revision], context }) =>
  revision === undefined
    ? listPublications(context)
    : showPublication(context, parseWholeNumber('REVISION', revision, 1, Number.MAX_SAFE_INTEGER))

async function listPublications(context: CommandContext): Promise<ExitName> {
  const { out, text, globals } = context
  const route = 'GET /v1/policy/publications'
  const answer = await (await context.connect()).ask(route)
  if (globals.json) return (out.json(answer), 'ok')
  const { publications } = readAnswer(route, publicationsSchema, answer)
  out.table(
    [
      { title: text('cli.column.revision'), align: 'right' },
      { title: text('cli.column.time') },
      { title: text('cli.column.cause') },
      { title: text('cli.column.who') },
      { title: text('cli.column.in-force') },
    ],
    publications.map(({ revision, at, cause, by, inForce }) => [
      revision,
      toLocalTime(at),
      cause,
      by,
      inForce ? text('cli.word.yes') : ({ text: text('cli.word.no'), style: 'yellow' } as const),
    ]),
  )
  return 'ok'
}

async function showPublication(context: CommandContext, revision: number): Promise<ExitName> {
  const { out, text, globals } = context
  const route = 'GET /v1/policy/publications/{revision}'
  const answer = await (await context.connect()).ask(route, { params: { revision } })
  if (globals.json) return (out.json(answer), 'ok')
  const { columns, rows } = publicationTable(text, readAnswer(route, publicationSchema, answer))
  out.table(columns, rows)
  return 'ok'
}
