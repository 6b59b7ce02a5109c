import type { AgentEvent, ReportedDatapathEvent } from '@hyperward/protocol'
import { expect, test } from 'vitest'

import { createEventOutbox, type EventOutbox } from './event-outbox.ts'

function makeOutbox(maxWaiting = 10): EventOutbox {
  let seq = 0
  return createEventOutbox({ nextSeq: () => (seq += 1), maxWaiting, maxBatch: 3, maxInFlight: 2 })
}

function flow(n: number): ReportedDatapathEvent {
  const tuple = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 17, sourcePort: n, destinationPort: 53 }
  const common = { at: '2026-01-01T00:00:00.000Z', endpoint: 'e', direction: 'egress' as const, rule: 'r', tuple }
  return { kind: 'flow-start', ...common, packets: 1, bytes: 60, end: null, suppressed: 0 }
}

function event(message: string): AgentEvent {
  return { kind: 'drift', at: '2026-01-01T00:00:00.000Z', endpoint: null, message }
}

const ports = (outbox: EventOutbox): (readonly number[])[] =>
  outbox.takeBatches().map((batch) => batch.datapath.map((one) => (one.tuple === null ? -1 : one.tuple.sourcePort)))

test('events leave in order, in batches, and wait while too many batches are unacknowledged', () => {
  const outbox = makeOutbox()
  for (let n = 1; n <= 8; n++) outbox.addDatapath(flow(n))
  expect(ports(outbox)).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ])
  expect(ports(outbox)).toEqual([])
  outbox.acknowledge(1)
  expect(ports(outbox)).toEqual([[7, 8]])
})

test('a batch that was not acknowledged is kept as it was sent, with its number', () => {
  const outbox = makeOutbox()
  outbox.addDatapath(flow(1))
  outbox.addAgent(event('a'))
  const sent = outbox.takeBatches()
  outbox.addDatapath(flow(2))
  expect(outbox.unacknowledged()).toEqual(sent)
  outbox.acknowledge(1)
  expect(outbox.unacknowledged()).toEqual([])
})

test('a full outbox gives up the oldest unsent events and tells how many, once', () => {
  const outbox = makeOutbox(4)
  for (let n = 1; n <= 3; n++) outbox.addDatapath(flow(n))
  outbox.takeBatches()
  for (let n = 4; n <= 30; n++) outbox.addDatapath(flow(n))
  const [batch] = outbox.takeBatches()
  expect(batch?.datapath.map((one) => one.tuple?.sourcePort)).toEqual([27, 28, 29])
  expect(batch?.lost).toBe(23)
  outbox.acknowledge(1)
  expect(outbox.takeBatches()[0]?.lost).toBe(0)
  expect(outbox.lost()).toBe(23)
  expect(outbox.unacknowledged()).toHaveLength(2)
})

test("a flood of packets does not push out the agent's own events", () => {
  const outbox = makeOutbox(4)
  outbox.addAgent(event('libvirt is lost'))
  for (let n = 1; n <= 100; n++) outbox.addDatapath(flow(n))
  expect(outbox.takeBatches()[0]?.agent.map((one) => one.message)).toEqual(['libvirt is lost'])
})
