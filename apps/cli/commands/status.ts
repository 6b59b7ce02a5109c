import { statusSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { readAnswer } from '../read-answer.ts'
import { toGuaranteeName } from '../render/render-guarantee.ts'
import { toLocalTime } from '../render/to-words.ts'
import { toPrintable } from '../terminal/to-printable.ts'

export const status: Run<'status'> = async ({ context }) => {
  const { out, text, globals } = context
  const route = 'GET /v1/status'
  const answer = await (await context.connect()).ask(route)
  if (globals.json) return (out.json(answer), 'ok')
  const { center, software, startedAt, revision, hosts, endpoints, store, inventoryProblem, brokenGuarantees } =
    readAnswer(route, statusSchema, answer)
  out.line(text('cli.said.status-center', { center, software, since: toLocalTime(startedAt) }))
  out.line(revision === 0 ? text('cli.said.nothing-published') : text('cli.said.status-revision', { revision }))
  const behind = hosts.inForce < hosts.total || endpoints.closed > 0
  const paint = (line: string): void => out.styledLine(behind ? out.style('yellow', line) : line)
  paint(text('cli.said.status-hosts', hosts))
  paint(text('cli.said.status-endpoints', endpoints))
  out.line(text('cli.said.status-store', { version: store.serverVersion, kind: store.kind, schema: store.schema }))
  if (inventoryProblem !== null) {
    out.styledLine(out.style('red', toPrintable(text('cli.said.status-problem', { problem: inventoryProblem }))))
  }
  for (const name of brokenGuarantees) {
    const said = text('cli.said.status-guarantee', { name: toGuaranteeName(name) })
    out.styledLine(out.style('red', toPrintable(said)))
  }
  return 'ok'
}
