import { setTimeout as sleep } from 'node:timers/promises'

import { OperationError } from '@hyperward/model'
import { eventsSchema, flowsSchema, streamLineSchema, type ApiEvent, type ApiFlow } from '@hyperward/protocol'

import type { Call, CommandContext, Run } from '../command.ts'
import type { Center } from '../connection/center.ts'
import { readEndpoints } from '../connection/find-vm.ts'
import type { ExitName } from '../exit-codes.ts'
import { parseDurationMs, parseSince, parseWholeNumber, type Since } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { toAddressNames, toFlowSentence, type AddressNames } from '../render/flow-sentence.ts'
import { toLocalTime } from '../render/to-words.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import { UsageError } from '../usage-error.ts'

const defaultLimit = 100
/** The center tells it is alive every 15 s; twice that and some is silence. */
const quietMs = 40_000
const pausesMs = [200, 500, 1000, 2000, 5000] as const

type Values = Call<'events'>['values']

export const events: Run<'events'> = async ({ values, context }) => {
  const { io } = context
  const since = values.since === undefined ? null : parseSince(values.since, io.now())
  const limit = values.limit === undefined ? defaultLimit : parseWholeNumber('--limit', values.limit, 1, 10_000)
  const forMs = values.for === undefined ? null : parseDurationMs('--for', values.for)
  if (forMs !== null && !values.follow)
    throw UsageError.of('cli.usage.needs', { first: '--for', second: '--follow' }, 'events')
  const center = await context.connect()
  if (values.follow) return follow(center, context, values, since, forMs)
  return list(center, context, values, since, limit)
}

async function list(
  center: Center,
  context: CommandContext,
  values: Values,
  since: Since | null,
  limit: number,
): Promise<ExitName> {
  const { out, text, globals } = context
  const sinceTime = since?.kind === 'time' ? since.at : undefined
  const query = { since: since?.kind === 'id' ? since.id : undefined, sinceTime, limit, host: values.host }
  const told = await center.ask('GET /v1/events', { query })
  // ids of events and of flows count apart: an id is one of an event
  const which = values.flows ?? 'drops'
  const flowQuery = { sinceTime, limit, host: values.host }
  const kinds = which === 'none' || since?.kind === 'id' ? [] : which === 'drops' ? ['drop', 'monitor'] : [undefined]
  const flows: ApiFlow[] = []
  for (const kind of kinds) {
    const answer = await center.ask('GET /v1/flows', { query: { ...flowQuery, kind } })
    flows.push(...readAnswer('GET /v1/flows', flowsSchema, answer).flows)
  }
  flows.sort((left, right) => left.id - right.id)
  const agentEvents = readAnswer('GET /v1/events', eventsSchema, told).events
  if (globals.json) return (out.json({ events: agentEvents, flows }), 'ok')
  const names = flows.length === 0 ? new Map<string, string>() : toAddressNames(await readEndpoints(center))
  const lines = [
    ...agentEvents.map((event) => ({ at: event.at, line: toEventLine(context, event) })),
    ...flows.map((flow) => ({ at: flow.at, line: toFlowLine(context, flow, names) })),
  ].toSorted((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0))
  const shown = lines.slice(-limit)
  shown.forEach(({ line }) => out.styledLine(line))
  if (shown.length === 0) out.errorLine(text('cli.said.empty'))
  return 'ok'
}

/** Ends at `--for`, at an interrupt, or when the center refuses; a lost connection is made again from the last event and flow told. */
async function follow(
  center: Center,
  context: CommandContext,
  values: Values,
  since: Since | null,
  forMs: number | null,
): Promise<ExitName> {
  const { out, text, io } = context
  const ends = forMs === null ? io.signal : AbortSignal.any([io.signal, AbortSignal.timeout(forMs)])
  const state: FollowState = {
    last: since?.kind === 'id' ? since.id : null,
    lastFlow: null,
    names: new Map(),
    failures: 0,
  }
  const after = since?.kind === 'time' ? since.at : ''
  for (;;) {
    try {
      await followOnce(center, context, values, state, after, ends)
      if (ends.aborted) break
      state.failures++
      out.errorLine(text('cli.said.reconnecting', { reason: 'EOF' }))
    } catch (error) {
      if (ends.aborted) break
      if (!(error instanceof OperationError) || error.code !== 'cli.center-unreachable' || !state.connected) throw error
      if (state.failures++ === 0)
        out.errorLine(text('cli.said.reconnecting', { reason: String(error.details['reason']) }))
    }
    const pause = pausesMs[Math.min(state.failures, pausesMs.length) - 1] ?? pausesMs[0]
    await sleep(pause, undefined, { signal: ends }).catch(() => undefined)
    if (ends.aborted) break
  }
  return io.signal.aborted ? 'interrupted' : 'ok'
}

interface FollowState {
  /** Id of the last event told. */
  last: number | null
  /** Id of the last flow record told or skipped. */
  lastFlow: number | null
  names: AddressNames
  failures: number
  /** Once it worked, a failure is a break and not a wrong address. */
  connected?: boolean
}

async function followOnce(
  center: Center,
  context: CommandContext,
  values: Values,
  state: FollowState,
  after: string,
  ends: AbortSignal,
): Promise<void> {
  const { out, globals } = context
  if (!globals.json) state.names = toAddressNames(await readEndpoints(center))
  // a time is turned into the whole past, and what is older is left out here
  const query = {
    since: state.last ?? (after === '' ? undefined : 0),
    flows: values.flows ?? 'drops',
    flowsSince: state.lastFlow ?? undefined,
  }
  for await (const line of center.lines('GET /v1/events/stream', { query }, quietMs, ends)) {
    state.connected = true
    state.failures = 0
    const told = readAnswer('GET /v1/events/stream', streamLineSchema, JSON.parse(line))
    if (told.type === 'heartbeat') {
      state.lastFlow = told.flow
      continue
    }
    const record = told.type === 'event' ? told.event : told.flow
    if (told.type === 'event') state.last = told.event.id
    else state.lastFlow = told.flow.id
    if (record.at < after || (values.host ?? record.host) !== record.host) continue
    if (globals.json) out.raw(`${line}\n`)
    else if (told.type === 'event') out.styledLine(toEventLine(context, told.event))
    else out.styledLine(toFlowLine(context, told.flow, state.names))
  }
}

function toEventLine({ out, text }: CommandContext, { at, host, kind, message }: ApiEvent): string {
  const said = host === null ? message : text('cli.said.event-host', { host, message })
  return `${out.style('dim', toLocalTime(at))}  ${out.style('cyan', toPrintable(kind))}  ${toPrintable(said)}`
}

function toFlowLine({ out, text }: CommandContext, flow: ApiFlow, names: AddressNames): string {
  const sentence = toPrintable(toFlowSentence(text, flow, names))
  return `${out.style('dim', toLocalTime(flow.at))}  ${flow.kind === 'drop' ? out.style('red', sentence) : sentence}`
}
