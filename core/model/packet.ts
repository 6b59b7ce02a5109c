import type { Address } from './address.ts'

/** The first packet of a connection, as `explain` and the packet tables name it. `port` is the destination port or the ICMP type; absent for other protocols. */
export interface Packet {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly port?: number
}
