/**
 * What hosts told of connections → how often each kind of connection was seen. A connection between two endpoints is told at both, and at its start and at
 * its end: the largest of these counts is taken, never their sum. Packets that a guard dropped (a forged source, say) were no connections.
 */
import { type FlowRecord, type Packet, parseAddress } from '@hyperward/model'

import { highestValue } from '../resolve/service-table.ts'

/** As the center's API gives flows, and as datapath events are. */
export interface SeenFlow {
  readonly kind: string
  readonly at: string
  readonly endpoint: string
  readonly direction: string
  readonly reason?: string | null
  readonly tuple: {
    readonly source: string
    readonly destination: string
    readonly protocol: number
    readonly destinationPort: number
  } | null
  /** How many more like it were counted and not told. */
  readonly suppressed: number
}

export function toFlowRecords(seen: readonly SeenFlow[]): readonly FlowRecord[] {
  const records = new Map<string, Seen>()
  for (const flow of seen) {
    const packet = toPacket(flow)
    if (packet === null) continue
    const key = `${packet.source} ${packet.destination} ${packet.protocol} ${packet.port ?? ''}`
    const record = records.get(key) ?? { packet, first: flow.at, last: flow.at, passed: new Map(), refused: new Map() }
    records.set(key, record)
    if (flow.at < record.first) record.first = flow.at
    if (flow.at > record.last) record.last = flow.at
    const counts = flow.kind === 'drop' ? record.refused : record.passed
    const teller = `${flow.endpoint} ${flow.direction} ${flow.kind}`
    counts.set(teller, (counts.get(teller) ?? 0) + 1 + flow.suppressed)
  }
  return [...records.values()].map(({ packet, first, last, passed, refused }) => {
    const refusals = Math.max(0, ...refused.values())
    // what passed at the source's end and was refused at the destination's was told at both
    const passages = Math.max(0, ...passed.values())
    return {
      packet,
      count: Math.max(refusals, passages, passedBothWays(passed, refused)),
      refused: refusals,
      first,
      last,
    }
  })
}

interface Seen {
  readonly packet: Packet
  first: string
  last: string
  /** By who told it, and what of it. */
  readonly passed: Map<string, number>
  readonly refused: Map<string, number>
}

/** At one teller what passed and what was refused are different connections. */
function passedBothWays(passed: ReadonlyMap<string, number>, refused: ReadonlyMap<string, number>): number {
  const sums = [...refused].map(([teller, count]) => {
    const same = [...passed].filter(([other]) => sideOf(other) === sideOf(teller)).map(([, value]) => value)
    return count + Math.max(0, ...same)
  })
  return Math.max(0, ...sums)
}

function sideOf(teller: string): string {
  return teller.slice(0, teller.lastIndexOf(' '))
}

function toPacket({ kind, reason, tuple }: SeenFlow): Packet | null {
  const told = kind === 'flow-start' || kind === 'flow-end' || (kind === 'drop' && (reason ?? 'policy') === 'policy')
  if (!told || tuple === null) return null
  const source = parseAddress(tuple.source)
  const destination = parseAddress(tuple.destination)
  if (source === null || destination === null) return null
  const { protocol, destinationPort: port } = tuple
  return highestValue(protocol) > 0 ? { source, destination, protocol, port } : { source, destination, protocol }
}
