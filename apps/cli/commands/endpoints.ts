import { endpointsSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { readAnswer } from '../read-answer.ts'
import { toLabels } from '../render/to-words.ts'
import type { StyleName } from '../terminal/style.ts'

const styles = { enforced: 'green', closed: 'red', unreported: 'yellow' } as const satisfies Record<string, StyleName>

export const endpoints: Run<'endpoints'> = async ({ values, context }) => {
  const { out, text, globals } = context
  const route = 'GET /v1/endpoints'
  const answer = await (await context.connect()).ask(route)
  const read = readAnswer(route, endpointsSchema, answer)
  const shown = read.endpoints.filter(
    ({ host, tenant, vm, state }) =>
      (values.host ?? host) === host &&
      (values.tenant ?? tenant) === tenant &&
      (values.vm === undefined || values.vm === vm.name || values.vm.toLowerCase() === vm.uuid) &&
      (values.state ?? state) === state,
  )
  if (globals.json) return (out.json({ ...read, endpoints: shown }), 'ok')
  out.table(
    [
      { title: text('cli.column.vm') },
      { title: text('cli.column.tenant') },
      { title: text('cli.column.host') },
      { title: text('cli.column.state') },
      { title: text('cli.column.mac') },
      { title: text('cli.column.addresses') },
      { title: text('cli.column.labels') },
      { title: text('cli.column.reason') },
    ],
    shown.map(({ vm, tenant, host, state, mac, addresses, labels, reason }) => [
      vm.name,
      tenant ?? text('cli.word.none'),
      host,
      { text: text(`cli.state.${state}`), style: styles[state] },
      mac,
      addresses.join(' '),
      toLabels(labels),
      reason ?? '',
    ]),
  )
  return 'ok'
}
