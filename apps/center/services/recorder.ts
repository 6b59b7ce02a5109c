/**
 * Stores flows and events and tells them to followers. One at a time: ids then ascend in the order of commits, so that a reader who asks on from an id
 * never misses one that was committed later under a smaller id.
 */
import type { ApiEvent, ApiFlow } from '@hyperward/protocol'
import {
  addEvents,
  addFlows,
  type EventRow,
  type FlowRow,
  type NewEvent,
  type NewFlow,
  type Queries,
  type Store,
} from '@hyperward/store'

import type { EventBus } from './event-bus.ts'
import type { VmMove } from './inventory-view.ts'
import { createSerial } from './serial.ts'

export interface Recorder {
  /** `before` runs in the same transaction and may say that there is nothing to store any more. */
  record(
    host: string,
    flows: readonly NewFlow[],
    events: readonly NewEvent[],
    before: (tx: Queries) => Promise<boolean>,
  ): Promise<void>
  /** Of a host, or of the center itself (null). */
  event(host: string | null, kind: string, message: string, endpoint?: string): Promise<void>
}

export function createRecorder(dependencies: { store: Store; bus: EventBus; clock: () => Date }): Recorder {
  const { store, bus, clock } = dependencies
  const serial = createSerial()

  const record: Recorder['record'] = (host, flows, events, before) => write(host, flows, events, before)
  const write = async (
    host: string | null,
    flows: readonly NewFlow[],
    events: readonly NewEvent[],
    before: (tx: Queries) => Promise<boolean>,
  ): Promise<void> =>
    serial(async () => {
      const now = clock()
      const stored = await store.transaction(async (tx) => {
        if (!(await before(tx))) return null
        return {
          flows: host === null ? [] : await addFlows(tx, host, flows, now),
          events: await addEvents(tx, host, events, now),
        }
      })
      if (stored === null) return
      for (const row of stored.flows) bus.emit({ type: 'flow', flow: toApiFlow(row) })
      for (const row of stored.events) bus.emit({ type: 'event', event: toApiEvent(row) })
    })

  return {
    record,
    async event(host, kind, message, endpoint) {
      const event: NewEvent = { at: clock().toISOString(), kind, endpoint: endpoint ?? null, message }
      await write(host, [], [event], async () => true)
    },
  }
}

/** A report may name thousands: what is told of one cause is bounded. */
export const toldAtOnce = 20

export async function tellMoves(recorder: Recorder, moves: readonly VmMove[]): Promise<void> {
  for (const { uuid, from, to } of moves.slice(0, toldAtOnce)) {
    await recorder.event(to, 'vm-moved', `VM ${uuid} is now at ${to}; ${from} had it before`)
  }
  const more = moves.length - toldAtOnce
  if (more > 0) await recorder.event(null, 'vm-moved', `${more} more VMs moved`)
}

export function toApiEvent(row: EventRow): ApiEvent {
  return { ...row, at: row.at.toISOString() }
}

export function toApiFlow(row: FlowRow): ApiFlow {
  const { source, destination, protocol } = row
  return {
    id: row.id,
    at: row.at.toISOString(),
    host: row.host,
    kind: row.kind,
    endpoint: row.endpoint,
    vmName: row.vm_name,
    tenant: row.tenant,
    direction: row.direction,
    action: row.action,
    reason: row.reason,
    rule: row.rule,
    tuple:
      source === null || destination === null || protocol === null
        ? null
        : {
            source,
            destination,
            protocol,
            sourcePort: row.source_port ?? 0,
            destinationPort: row.destination_port ?? 0,
          },
    sourceMac: row.source_mac,
    packets: row.packets,
    bytes: row.bytes,
    suppressed: row.suppressed,
  }
}
