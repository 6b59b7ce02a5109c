import type { CenterMessage } from '@hyperward/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { createCenterModel, type CenterModel } from '../testing/center-model.ts'
import { createChannelClient, type ChannelClient, type ChannelState } from './channel-client.ts'
import { createEventOutbox, type EventOutbox } from './event-outbox.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

interface Bench {
  readonly center: CenterModel
  readonly client: ChannelClient
  readonly outbox: EventOutbox
  readonly messages: CenterMessage[]
  readonly states: ChannelState[]
}

function makeClient(): Bench {
  const center = createCenterModel()
  let seq = 0
  const nextSeq = (): number => (seq += 1)
  const outbox = createEventOutbox({ nextSeq })
  const messages: CenterMessage[] = []
  const states: ChannelState[] = []
  const client = createChannelClient({
    connect: (handlers) => center.connect(handlers),
    hello: () => ({ protocol: 2, software: 's', heldRevision: 0, heldDigest: null, kernel: 'k', stream: 'one' }),
    outbox,
    nextSeq,
    onMessage: (message) => void messages.push(message),
    onState: (state) => void states.push(state),
    now: () => Date.now(),
    random: () => 0.999_999,
  })
  return { center, client, outbox, messages, states }
}

const told = (message: string): Parameters<EventOutbox['addAgent']>[0] => ({
  kind: 'drift',
  at: '2026-01-01T00:00:00.000Z',
  endpoint: null,
  message,
})

test('says hello first and sends what waits only after the welcome', async () => {
  const { center, client, outbox } = makeClient()
  outbox.addAgent(told('early'))
  client.setInventory({ vms: [] })
  expect(client.send({ kind: 'fetch-plan', digest: 'a'.repeat(64) })).toBe(false)
  client.start()
  await vi.advanceTimersByTimeAsync(20)
  expect(center.received.map((message) => message.kind)).toEqual(['hello', 'inventory', 'events'])
})

test('connects again after a break, with growing waits, and starts over after a success', async () => {
  const { center, client } = makeClient()
  center.mode = 'away'
  client.start()
  await vi.advanceTimersByTimeAsync(500 + 1000 + 2000 + 10)
  expect(center.connections).toBe(4)
  center.mode = 'there'
  await vi.advanceTimersByTimeAsync(4010)
  expect(client.state().kind).toBe('connected')
  center.breakConnection('reset')
  expect(client.state()).toMatchObject({ kind: 'disconnected', reason: 'reset' })
  await vi.advanceTimersByTimeAsync(510)
  expect(client.state().kind).toBe('connected')
})

test('a break loses no event and tells none twice, whether or not the center had stored it', async () => {
  const { center, client, outbox } = makeClient()
  client.start()
  await vi.advanceTimersByTimeAsync(10)
  outbox.addAgent(told('stored and acknowledged'))
  await vi.advanceTimersByTimeAsync(300)
  center.acknowledges = false
  outbox.addAgent(told('sent, then the line broke'))
  await vi.advanceTimersByTimeAsync(300)
  center.breakConnection('reset')
  outbox.addAgent(told('while away'))
  center.acknowledges = true
  await vi.advanceTimersByTimeAsync(1500)
  expect(center.stored.flatMap((batch) => batch.agent.map((one) => one.message))).toEqual([
    'stored and acknowledged',
    'sent, then the line broke',
    'while away',
  ])
  expect(outbox.size()).toBe(0)
})

test('only the newest status and inventory are sent, and again on a new connection', async () => {
  const { center, client } = makeClient()
  const status = { revision: 1, driver: 'ebpf', drift: 0, endpoints: [], counters: [], rssBytes: 1 }
  client.setStatus(status)
  client.setStatus({ ...status, revision: 2 })
  client.start()
  await vi.advanceTimersByTimeAsync(300)
  center.breakConnection('reset')
  await vi.advanceTimersByTimeAsync(600)
  expect(center.received.flatMap((one) => (one.kind === 'status' ? [one.revision] : []))).toEqual([2, 2])
})

test('a center that stops answering is given up and reached anew', async () => {
  const { center, client, states } = makeClient()
  client.start()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(states.map((state) => state.kind)).toEqual(['connected'])
  center.mode = 'mute'
  await vi.advanceTimersByTimeAsync(40_000)
  expect(states.at(-1)).toMatchObject({ kind: 'disconnected', reason: 'the center does not answer' })
  center.mode = 'there'
  await vi.advanceTimersByTimeAsync(60_000)
  expect(client.state().kind).toBe('connected')
})

test('a message that is not of the protocol ends the connection and reaches nobody', async () => {
  const { center, client, messages } = makeClient()
  client.start()
  await vi.advanceTimersByTimeAsync(10)
  messages.length = 0
  // the model sends what it is given; the client must refuse an unknown field
  center.send({ kind: 'plan-available', revision: 1, digest: 'a'.repeat(64), extra: 1 } as CenterMessage)
  await vi.advanceTimersByTimeAsync(10)
  expect(messages).toEqual([])
  expect(client.state().kind).toBe('disconnected')
})

test('after stop nothing connects any more', async () => {
  const { center, client } = makeClient()
  center.mode = 'away'
  client.start()
  await vi.advanceTimersByTimeAsync(10)
  client.stop()
  await vi.advanceTimersByTimeAsync(600_000)
  expect(center.connections).toBe(1)
})
