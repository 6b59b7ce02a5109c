import { parseAddress } from '@hyperward/model'
import { flowsSchema, type ApiFlow } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import { parseSince, parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { toAddressNames, toFlowSentence } from '../render/flow-sentence.ts'
import { toLocalTime } from '../render/to-words.ts'
import { UsageError } from '../usage-error.ts'

const defaultLimit = 100
/** Most the center gives at once; asked for when the choice is made here. */
const largestPage = 10_000

export const flows: Run<'flows'> = async ({ values, context }) => {
  const { out, text, globals, io } = context
  const limit = values.limit === undefined ? defaultLimit : parseWholeNumber('--limit', values.limit, 1, largestPage)
  const since = values.since === undefined ? null : parseSince(values.since, io.now())
  const address = values.address === undefined ? undefined : parseAddress(values.address)
  if (address === null) throw UsageError.of('cli.usage.bad-address', { value: values.address ?? '' }, 'flows')
  const center = await context.connect()
  const endpoints = globals.json && values.vm === undefined ? [] : await readEndpoints(center)
  const vm = values.vm === undefined ? null : findVm(endpoints, values.vm)
  // the API filters by endpoint and by whole rule reference; VM, short rule and time are chosen here
  const chosenHere = vm !== null || since?.kind === 'time' || (values.rule !== undefined && !values.rule.includes(':'))
  const route = 'GET /v1/flows'
  const answer = await center.ask(route, {
    query: {
      since: since?.kind === 'id' ? since.id : undefined,
      limit: chosenHere ? largestPage : limit,
      host: values.host,
      tenant: values.tenant,
      rule: values.rule?.includes(':') === true ? values.rule : undefined,
      address,
      kind: values.kind,
    },
  })
  const page = readAnswer(route, flowsSchema, answer).flows
  const chosen = page.filter(
    (flow) =>
      (vm === null || flow.endpoint.startsWith(`${vm}/`)) &&
      (since?.kind !== 'time' || flow.at >= since.at) &&
      (values.rule === undefined || isRule(flow, values.rule)),
  )
  const shown = since?.kind === 'id' ? chosen.slice(0, limit) : chosen.slice(-limit)
  if (globals.json) return (out.json(chosenHere ? { flows: shown } : answer), 'ok')
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

/** The whole reference, or its part after the tier: `acme/shop/app-to-db`. */
function isRule({ rule }: ApiFlow, asked: string): boolean {
  return rule !== null && (rule === asked || rule.slice(rule.indexOf(':') + 1) === asked)
}
