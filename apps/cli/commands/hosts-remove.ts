import { parseHostName } from '@hyperward/model'

import type { Run } from '../command.ts'
import { UsageError } from '../usage-error.ts'

export const hostsRemove: Run<'hosts remove'> = async ({ positionals: [name = ''], context }) => {
  const { out, text, globals } = context
  const host = parseHostName(name)
  if (host === null) throw UsageError.of('cli.usage.bad-name', { value: name }, 'hosts remove')
  const answer = await (await context.connect()).ask('DELETE /v1/hosts/{name}', { params: { name: host } })
  if (globals.json) out.json(answer)
  else out.line(text('cli.said.host-removed', { host }))
  return 'ok'
}
