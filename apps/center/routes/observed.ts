import { PassThrough } from 'node:stream'

import { OperationError, parseAddress } from '@hyperward/model'
import {
  auditQuerySchema,
  auditSchema,
  eventQuerySchema,
  eventsSchema,
  flowQuerySchema,
  flowsSchema,
  streamQuerySchema,
  type ApiStreamLine,
} from '@hyperward/protocol'
import { readAudit, readEvents, readFlows } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'

import { toApiEvent, toApiFlow } from '../services/recorder.ts'
import type { Services } from '../services/services.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

const pageDefault = 100
const heartbeatMs = 15_000
/** Flow records a follower may have missed in a break and still gets; `flows` lists the rest. */
const maxReplayedFlows = 5000
/** A follower that does not read is let go; it asks again with the last id it saw. */
const maxWaitingBytes = 8 * 1024 * 1024
/** `flows=drops`: what did not pass, and what would not have if a rule in monitor mode were in force. */
const toldAsDrops: ReadonlySet<string> = new Set(['drop', 'monitor'])

export function addObservedRoutes(app: FastifyInstance, services: Services): void {
  const { store, bus, clock } = services
  typed(app).get(
    '/v1/flows',
    {
      config: acts('flow:read'),
      schema: {
        security: byAdministrator,
        querystring: flowQuerySchema,
        response: { 200: flowsSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const { query } = request
      const address = query.address === undefined ? undefined : parseAddress(query.address)
      if (address === null) throw new OperationError('api.bad-request', 'address: not an IP address')
      const rows = await readFlows(store, { ...query, address, limit: query.limit ?? pageDefault })
      return { flows: rows.map(toApiFlow) }
    },
  )

  typed(app).get(
    '/v1/events',
    {
      config: acts('event:read'),
      schema: {
        security: byAdministrator,
        querystring: eventQuerySchema,
        response: { 200: eventsSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const rows = await readEvents(store, { ...request.query, limit: request.query.limit ?? pageDefault })
      return { events: rows.map(toApiEvent) }
    },
  )

  typed(app).get(
    '/v1/events/stream',
    {
      config: acts('event:read'),
      schema: {
        security: byAdministrator,
        description:
          'NDJSON of StreamLine, without end. Of flows what is new from now on, or since `flowsSince` (the last 5,000 at most).',
        querystring: streamQuerySchema,
      },
    },
    async (request, reply) => {
      const flows = request.query.flows ?? 'none'
      const stream = new PassThrough()
      // read before subscribing: what comes in between is replayed
      const newestFlow = (await readFlows(store, { limit: 1 })).at(-1)?.id ?? 0
      // an id from the future is of another store: nothing is known to have been missed
      const missedFrom = Math.min(request.query.flowsSince ?? newestFlow, newestFlow)
      let lastFlow = Math.max(missedFrom, newestFlow - maxReplayedFlows)
      let last = request.query.since ?? 0
      let replaying = true
      const held: ApiStreamLine[] = []
      const write = (line: ApiStreamLine): void => {
        if (line.type === 'event') {
          if (line.event.id <= last) return
          last = line.event.id
        }
        if (line.type === 'flow') {
          if (line.flow.id <= lastFlow) return
          lastFlow = line.flow.id
        }
        if (line.type === 'flow' && (flows === 'none' || (flows === 'drops' && !toldAsDrops.has(line.flow.kind))))
          return
        stream.write(`${JSON.stringify(line)}\n`)
        if (stream.writableLength > maxWaitingBytes) stream.destroy()
      }
      // subscribed before the store is read: what is stored meanwhile is held, and told once
      const unsubscribe = bus.subscribe((line) => (replaying ? void held.push(line) : write(line)))
      const beat = (): void => write({ type: 'heartbeat', at: clock().toISOString(), flow: lastFlow })
      const timer = setInterval(beat, heartbeatMs)
      timer.unref()
      stream.on('close', () => {
        clearInterval(timer)
        unsubscribe()
      })
      stream.on('error', () => stream.destroy())
      request.raw.on('close', () => stream.destroy())
      if (request.query.since !== undefined) {
        for (;;) {
          const rows = await readEvents(store, { since: last, limit: 1000 })
          for (const row of rows) write({ type: 'event', event: toApiEvent(row) })
          if (rows.length < 1000) break
        }
      }
      if (flows !== 'none') {
        for (;;) {
          const rows = await readFlows(store, { since: lastFlow, limit: 1000 })
          for (const row of rows) write({ type: 'flow', flow: toApiFlow(row) })
          if (rows.length < 1000) break
        }
      }
      replaying = false
      for (const line of held) write(line)
      // the first line tells the follower that it is connected
      beat()
      return reply.type('application/x-ndjson').send(stream)
    },
  )

  typed(app).get(
    '/v1/audit',
    {
      config: acts('audit:read'),
      schema: {
        security: byAdministrator,
        querystring: auditQuerySchema,
        response: { 200: auditSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const rows = await readAudit(store, { ...request.query, limit: request.query.limit ?? pageDefault })
      return { records: rows.map((row) => ({ ...row, at: row.at.toISOString() })) }
    },
  )
}
