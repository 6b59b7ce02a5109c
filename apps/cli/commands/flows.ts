import { parseAddress } from '@hyperward/model'
import { flowsSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import { parseSince, parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { toAddressNames, toFlowSentence } from '../render/flow-sentence.ts'
import { toLocalTime } from '../render/to-words.ts'
import { UsageError } from '../usage-error.ts'

const defaultLimit = 100
/** Most the center gives at once. */
const largestPage = 10_000

export const flows: Run<'flows'> = async ({ values, context }) => {
  const { out, text, globals, io } = context
  const limit = values.limit === undefined ? defaultLimit : parseWholeNumber('--limit', values.limit, 1, largestPage)
  const since = values.since === undefined ? null : parseSince(values.since, io.now())
  const address = values.address === undefined ? undefined : parseAddress(values.address)
  if (address === null) throw UsageError.of('cli.usage.bad-address', { value: values.address ?? '' }, 'flows')
  const center = await context.connect()
  const endpoints = globals.json && values.vm === undefined ? [] : await readEndpoints(center)
  const vm = values.vm === undefined ? undefined : findVm(endpoints, values.vm)
  const route = 'GET /v1/flows'
  const answer = await center.ask(route, {
    query: {
      since: since?.kind === 'id' ? since.id : undefined,
      sinceTime: since?.kind === 'time' ? since.at : undefined,
      limit,
      host: values.host,
      tenant: values.tenant,
      vm,
      rule: values.rule,
      address,
      kind: values.kind,
    },
  })
  if (globals.json) return (out.json(answer), 'ok')
  const shown = readAnswer(route, flowsSchema, answer).flows
  const names = toAddressNames(endpoints)
  out.table(
    [{ title: text('cli.column.time') }, { title: text('cli.column.host') }, { title: text('cli.column.what') }],
    shown.map((flow) => [
      toLocalTime(flow.at),
      flow.host,
      flow.kind === 'drop'
        ? { text: toFlowSentence(text, flow, names), style: 'red' }
        : toFlowSentence(text, flow, names),
    ]),
  )
  if (shown.length === limit) out.errorLine(text('cli.said.limited', { n: limit }))
  return 'ok'
}
