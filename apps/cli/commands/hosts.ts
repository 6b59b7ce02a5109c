import { hostsSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { readAnswer } from '../read-answer.ts'
import { toAge, toSize } from '../render/to-words.ts'
import type { Cell } from '../terminal/render-table.ts'

export const hosts: Run<'hosts'> = async ({ context }) => {
  const { out, text, globals, io } = context
  const route = 'GET /v1/hosts'
  const answer = await (await context.connect()).ask(route)
  if (globals.json) return (out.json(answer), 'ok')
  const none = text('cli.word.none')
  const yesOrNo = (yes: boolean): Cell => ({
    text: text(yes ? 'cli.word.yes' : 'cli.word.no'),
    style: yes ? 'green' : 'red',
  })
  const rows = readAnswer(route, hostsSchema, answer).hosts.map((host) => [
    host.name,
    yesOrNo(host.connected),
    yesOrNo(host.inForce),
    `${host.heldRevision ?? none}/${host.plannedRevision ?? none}`,
    host.endpoints.enforced,
    host.endpoints.closed === 0 ? 0 : ({ text: String(host.endpoints.closed), style: 'yellow' } as const),
    host.drift,
    host.rssBytes === null ? none : toSize(host.rssBytes),
    toAge(text, host.lastSeenAt, io.now()),
    // its name; the reason for it is in the answer of --json
    host.driver?.split(':')[0] ?? none,
    host.software ?? none,
  ])
  out.table(
    [
      { title: text('cli.column.host') },
      { title: text('cli.column.connected') },
      { title: text('cli.column.in-force') },
      { title: text('cli.column.revision'), align: 'right' },
      { title: text('cli.column.enforced'), align: 'right' },
      { title: text('cli.column.closed'), align: 'right' },
      { title: text('cli.column.drift'), align: 'right' },
      { title: text('cli.column.memory'), align: 'right' },
      { title: text('cli.column.seen') },
      { title: text('cli.column.driver') },
      { title: text('cli.column.software') },
    ],
    rows,
  )
  return 'ok'
}
