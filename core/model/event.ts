import type { Address } from './address.ts'
import type { DropReason } from './drop-reason.ts'
import type { EndpointId, HostName, RuleRef } from './ids.ts'
import type { Action, Direction } from './policy.ts'

/** The five-tuple as seen, from the packet that made the event. Ports are 0 where the protocol has none; an ICMP type stands in `destinationPort`. */
export interface FlowTuple {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly sourcePort: number
  readonly destinationPort: number
}

/** What the datapath tells. `at` is ISO 8601 UTC with milliseconds. `suppressed` = how many like it were counted but not told since the last one. */
export type DatapathEvent =
  | {
      readonly kind: 'drop'
      readonly at: string
      readonly host: HostName
      readonly endpoint: EndpointId
      readonly direction: Direction
      readonly reason: DropReason
      /** The deciding rule when `reason` is `policy` or `no-gateway`; null otherwise. */
      readonly rule: RuleRef | null
      readonly action: Extract<Action, 'drop' | 'reject'>
      readonly tuple: FlowTuple | null
      /** Source MAC for layer-2 reasons. */
      readonly sourceMac: string
      readonly suppressed: number
    }
  /** A rule in monitor mode would have decided this packet or new connection; what really happened is told apart from it. */
  | {
      readonly kind: 'monitor'
      readonly at: string
      readonly host: HostName
      readonly endpoint: EndpointId
      readonly direction: Direction
      readonly rule: RuleRef
      /** What the rule would have done. */
      readonly action: Action
      readonly tuple: FlowTuple
      readonly packets: number
      readonly bytes: number
      readonly suppressed: number
    }
  | {
      readonly kind: 'flow-start' | 'flow-end'
      readonly at: string
      readonly host: HostName
      readonly endpoint: EndpointId
      readonly direction: Direction
      readonly rule: RuleRef
      readonly tuple: FlowTuple
      /** Both directions, IP length upwards; of a `flow-start` those of the first packet. */
      readonly packets: number
      readonly bytes: number
      /** Why a flow ended; null at its start. */
      readonly end: 'closed' | 'reset' | 'timeout' | 'revoked' | null
      readonly suppressed: number
    }

/** Counts of one rule at one host since the rule was first seen there; they never go down. */
export interface RuleCounter {
  readonly rule: RuleRef
  readonly packets: number
  readonly bytes: number
  /** New connections (or dropped first packets) the rule decided. */
  readonly hits: number
}
