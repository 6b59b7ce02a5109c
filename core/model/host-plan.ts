/**
 * The plan of one host: all it must enforce, with nothing left to decide (DESIGN §2, invariant 1). Immutable.
 *
 * Verdict of a new connection at one side. `local` is the identity of the enforced endpoint's address, `peer` the other address's, `class` the service
 * class of (protocol, destination port or ICMP type). The rows are asked in this fixed order, first hit decides, no hit drops (`defaultDropRef`):
 *   1. (direction, local, peer, class)   2. (direction, local, peer, 0)   3. (direction, local, 0, class)   4. (direction, local, 0, 0)
 * A connection passes when the source's endpoint allows it as `egress` and the destination's endpoint allows it as `ingress`, each where it is enforced.
 *
 * Address → identity: exact match in `addresses`, else the longest prefix in `networks`, else `worldIdentity`.
 */
import type { Address, Prefix } from './address.ts'
import type { Digest, EndpointId, HostName, Identity, Mac, Revision, RuleRef, TenantName, Tier, VmUuid } from './ids.ts'
import type { Action, Direction } from './policy.ts'

export const hostPlanFormat = 2

export interface HostPlan {
  readonly format: typeof hostPlanFormat
  readonly host: HostName
  readonly revision: Revision
  /** SHA-256 over {@link HostPlanSections} digests, host, and format; see core/policy/compile/plan-sections.ts. Equal digest = nothing to do, whatever the revision. */
  readonly digest: Digest
  readonly sections: HostPlanSections
}

/** Each section is sorted, so that the same input gives the same bytes. Sections that hosts share are the same object in memory. */
export interface HostPlanSections {
  /** The endpoints of this host. */
  readonly endpoints: readonly PlannedEndpoint[]
  /** Conntrack zone of each tenant with an endpoint here, 1..65535. */
  readonly zones: readonly PlannedZone[]
  /** Every endpoint address known to the policy, on any host. */
  readonly addresses: readonly AddressIdentity[]
  readonly networks: readonly PrefixIdentity[]
  readonly services: readonly ServiceClass[]
  readonly verdicts: readonly Verdict[]
  /** First the default drop, then by ref. */
  readonly rules: readonly PlannedRule[]
}

export interface PlannedEndpoint {
  readonly id: EndpointId
  readonly vm: VmUuid
  readonly vmName: string
  readonly tenant: TenantName
  readonly mac: Mac
  /** What the endpoint may use as its source; its EUI-64 link-local address besides. */
  readonly addresses: readonly Address[]
}

export interface PlannedZone {
  readonly tenant: TenantName
  readonly zone: number
}

export interface AddressIdentity {
  readonly address: Address
  readonly identity: Identity
}

export interface PrefixIdentity {
  readonly prefix: Prefix
  readonly identity: Identity
}

/** (protocol, port or type range) → class, 1..65535. Ranges of one protocol are disjoint; together with `rest` they cover it. What no rule names at all has class 0. */
export interface ServiceClass {
  readonly protocol: number
  /** 0..65535 for port protocols, 0..255 for ICMP types, 0..0 for others. */
  readonly from: number
  readonly to: number
  readonly class: number
}

export interface Verdict {
  readonly direction: Direction
  readonly local: Identity
  /** 0 = any peer. */
  readonly peer: Identity
  /** 0 = any class. */
  readonly class: number
  readonly action: Action
  /** {@link PlannedRule.number} of the rule that decides; 0 = the default drop. */
  readonly rule: number
  /** Number of the first rule in monitor mode that would have decided before it: counted and told, without effect. */
  readonly monitor?: number
}

export interface PlannedRule {
  /** What verdicts name it by: made from the ref, the same on every host; 0 = the default drop. */
  readonly number: number
  readonly ref: RuleRef
  readonly tier: Tier
  readonly tenant: TenantName | null
  readonly policy: string
  readonly name: string
  readonly action: Action
  readonly log: boolean
  /** Connections told a second at most; absent = the datapath's own bound. */
  readonly logRate?: number
  /** Decides nothing: only {@link Verdict.monitor} names it. */
  readonly monitor?: true
  /** Of `inspect`, and only of it. */
  readonly profile?: string
}
