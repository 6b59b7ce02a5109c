import type { Packet } from './packet.ts'

/** What was seen of one kind of connection: the same addresses, protocol and destination port (or ICMP type), whatever the client's port. */
export interface FlowRecord {
  readonly packet: Packet
  /** Connections in all, and how many of them were refused at one end or the other. */
  readonly count: number
  readonly refused: number
  /** ISO 8601 UTC. */
  readonly first: string
  readonly last: string
}
