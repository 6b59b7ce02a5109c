/**
 * Events on their way to the center: gathered, sent in batches, kept until acknowledged, and sent again with the same number after a break, so that a break
 * loses nothing and tells nothing twice. Memory is bounded: while the center is away the oldest unsent events go first, and how many is told with the next batch.
 */
import type { AgentEvent, AgentMessage, ReportedDatapathEvent } from '@hyperward/protocol'

export type EventBatch = Extract<AgentMessage, { kind: 'events' }>

export interface EventOutboxOptions {
  readonly nextSeq: () => number
  /** Unsent events kept, of each of the two sorts: a flood of packets does not push out what the agent itself has to tell. */
  readonly maxWaiting?: number
  readonly maxBatch?: number
  /** Batches sent and not yet acknowledged; no further one is made until one is. */
  readonly maxInFlight?: number
}

export interface EventOutbox {
  addDatapath(event: ReportedDatapathEvent): void
  addAgent(event: AgentEvent): void
  /** What to send now: new batches only. */
  takeBatches(): readonly EventBatch[]
  /** Sent before and not acknowledged, oldest first: to be sent again on a new connection. */
  unacknowledged(): readonly EventBatch[]
  acknowledge(seq: number): void
  /** Waiting and in flight. */
  size(): number
  /** Events given up since the start. */
  lost(): number
}

export function createEventOutbox(options: EventOutboxOptions): EventOutbox {
  const maxWaiting = options.maxWaiting ?? 10_000
  const maxBatch = options.maxBatch ?? 500
  const maxInFlight = options.maxInFlight ?? 4
  const datapath = createRing<ReportedDatapathEvent>(maxWaiting)
  const agent = createRing<AgentEvent>(maxWaiting)
  const inFlight = new Map<number, EventBatch>()
  let lostTotal = 0
  let lostUntold = 0

  function countLost(count: number): void {
    lostTotal += count
    lostUntold += count
  }

  return {
    addDatapath: (event) => countLost(datapath.push(event)),
    addAgent: (event) => countLost(agent.push(event)),
    takeBatches() {
      const batches: EventBatch[] = []
      while (inFlight.size < maxInFlight && (datapath.size() > 0 || agent.size() > 0)) {
        const batch: EventBatch = {
          kind: 'events',
          seq: options.nextSeq(),
          datapath: datapath.take(maxBatch),
          agent: agent.take(maxBatch),
          lost: lostUntold,
        }
        lostUntold = 0
        inFlight.set(batch.seq, batch)
        batches.push(batch)
      }
      return batches
    },
    unacknowledged: () => [...inFlight.values()],
    acknowledge: (seq) => void inFlight.delete(seq),
    size() {
      let count = datapath.size() + agent.size()
      for (const batch of inFlight.values()) count += batch.datapath.length + batch.agent.length
      return count
    },
    lost: () => lostTotal,
  }
}

interface Ring<T> {
  /** How many old ones were given up for it: 0 or 1. */
  push(item: T): number
  take(count: number): T[]
  size(): number
}

function createRing<T>(capacity: number): Ring<T> {
  let items: T[] = []
  let head = 0
  return {
    push(item) {
      items.push(item)
      if (items.length - head <= capacity) return 0
      head += 1
      // moved together only when half is gone, so that an event costs the same however many wait
      if (head > capacity) {
        items = items.slice(head)
        head = 0
      }
      return 1
    },
    take(count) {
      const taken = items.slice(head, head + count)
      head += taken.length
      if (head === items.length) {
        items = []
        head = 0
      }
      return taken
    },
    size: () => items.length - head,
  }
}
