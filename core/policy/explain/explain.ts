/** Which rule decides a packet's fate and why the others do not, in the policy's own words; and the same question put to loaded plans. */
import {
  type Action,
  type Address,
  defaultDropRef,
  type Direction,
  type EndpointId,
  type GroupName,
  type HostName,
  type HostPlan,
  type Identity,
  type Packet,
  type PlannedRule,
  type Rule,
  type RuleRef,
  type RuleSide,
  type Service,
  type TenantName,
  type Vm,
} from '@hyperward/model'

import { linkLocalAddress } from '../resolve/link-local-address.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { lookupIdentity, lookupVerdict } from '../compile/lookup-verdict.ts'
import { groupsOf } from './group-membership.ts'

/** `not-enforced`: neither address is an endpoint's, so nothing of ours stands in the way. */
export type FlowVerdict = Action | 'not-enforced'

export interface ExplainedAddress {
  readonly address: Address
  readonly identity: Identity
  readonly endpoint: EndpointId | null
  readonly vmName: string | null
  readonly host: HostName | null
  readonly tenant: TenantName | null
  readonly groups: readonly GroupName[]
}

export type RuleOutcome =
  /** It decided. */
  | 'decides'
  /** Its source, its destination or its service is another. */
  | 'other-source'
  | 'other-destination'
  | 'other-service'
  /** It would match, but an earlier rule decided. */
  | 'too-late'

export interface RuleStep {
  readonly rule: Rule
  readonly outcome: RuleOutcome
}

export interface ExplainedSide {
  readonly direction: Direction
  readonly endpoint: EndpointId
  readonly action: Action
  readonly ref: RuleRef
  /** Null when no rule matched: the default drop. */
  readonly rule: Rule | null
  /** Every rule enforced at this side, in order of evaluation. */
  readonly walk: readonly RuleStep[]
}

export interface Explanation {
  readonly packet: Packet
  readonly source: ExplainedAddress
  readonly destination: ExplainedAddress
  /** Egress at the source's endpoint, then ingress at the destination's, each when there is one. */
  readonly sides: readonly ExplainedSide[]
  readonly verdict: FlowVerdict
}

/** What the policy says of the first packet of a connection; replies and related packets follow it. */
export function explain(resolved: ResolvedPolicy, packet: Packet): Explanation {
  const source = explainAddress(resolved, packet.source)
  const destination = explainAddress(resolved, packet.destination)
  const sides = [
    explainSide(resolved, packet, 'egress', source, source, destination),
    explainSide(resolved, packet, 'ingress', destination, source, destination),
  ].filter((side) => side !== null)
  return { packet, source, destination, sides, verdict: combineVerdicts(sides.map((side) => side.action)) }
}

export interface LoadedSide {
  readonly direction: Direction
  readonly host: HostName
  readonly endpoint: EndpointId
  readonly action: Action
  readonly rule: PlannedRule
}

/** What the plans that hosts hold do with it. A host whose plan is not given is not asked. */
export function explainPlans(
  plans: readonly HostPlan[],
  packet: Packet,
): { readonly sides: readonly LoadedSide[]; readonly verdict: FlowVerdict } {
  const ask = (direction: Direction, local: Address, peer: Address): readonly LoadedSide[] =>
    plans.flatMap((plan) => {
      const endpoint = plan.sections.endpoints.find(
        ({ mac, addresses }) => addresses.includes(local) || linkLocalAddress(mac) === local,
      )
      if (endpoint === undefined) return []
      const { action, rule } = lookupVerdict(plan, direction, local, peer, packet.protocol, packet.port)
      return [{ direction, host: plan.host, endpoint: endpoint.id, action, rule }]
    })
  const sides = [
    ...ask('egress', packet.source, packet.destination),
    ...ask('ingress', packet.destination, packet.source),
  ]
  return { sides, verdict: combineVerdicts(sides.map((side) => side.action)) }
}

/** A connection passes when every side that is enforced allows it; the first side that does not tells how it fails. */
export function combineVerdicts(actions: readonly Action[]): FlowVerdict {
  if (actions.length === 0) return 'not-enforced'
  return actions.find((action) => action !== 'allow') ?? 'allow'
}

function explainAddress(resolved: ResolvedPolicy, address: Address): ExplainedAddress {
  const { policy, inventory, addresses, networks } = resolved
  const owner = findOwner(inventory.vms, address, resolved)
  const identity = lookupIdentity({ addresses, networks }, address)
  const groups = [...groupsOf(policy, address, owner?.vm ?? null)].sort()
  return {
    address,
    identity,
    endpoint: owner?.endpoint ?? null,
    vmName: owner?.vm.name ?? null,
    host: owner?.vm.host ?? null,
    tenant: owner?.vm.tenant ?? null,
    groups,
  }
}

/** The endpoint that an address is enforced as; none when two claim it. */
function findOwner(
  vms: readonly Vm[],
  address: Address,
  resolved: ResolvedPolicy,
): { readonly vm: Vm; readonly endpoint: EndpointId } | null {
  if (resolved.records.claims.taken.has(address)) return null
  for (const vm of vms) {
    if (vm.tenant === null) continue
    for (const { id, mac, addresses } of vm.endpoints) {
      if (addresses.includes(address) || linkLocalAddress(mac) === address) return { vm, endpoint: id }
    }
  }
  return null
}

function explainSide(
  resolved: ResolvedPolicy,
  packet: Packet,
  direction: Direction,
  local: ExplainedAddress,
  source: ExplainedAddress,
  destination: ExplainedAddress,
): ExplainedSide | null {
  if (local.endpoint === null || local.tenant === null) return null
  const inSource = new Set(source.groups)
  const inDestination = new Set(destination.groups)
  let decided: Rule | null = null
  const walk = resolved.index.rulesAt(local.tenant, direction).map(({ rule }): RuleStep => {
    if (!sideHolds(rule.source, inSource)) return { rule, outcome: 'other-source' }
    if (!sideHolds(rule.destination, inDestination)) return { rule, outcome: 'other-destination' }
    if (!serviceHolds(rule.service, packet)) return { rule, outcome: 'other-service' }
    if (decided !== null) return { rule, outcome: 'too-late' }
    decided = rule
    return { rule, outcome: 'decides' }
  })
  const rule = walk.find((step) => step.outcome === 'decides')?.rule ?? null
  return {
    direction,
    endpoint: local.endpoint,
    action: rule?.action ?? 'drop',
    ref: rule?.ref ?? defaultDropRef,
    rule,
    walk,
  }
}

function sideHolds(side: RuleSide, groups: ReadonlySet<GroupName>): boolean {
  return side.kind === 'any' || side.groups.some((group) => groups.has(group))
}

function serviceHolds(service: Service, { protocol, port = 0 }: Packet): boolean {
  if (service.kind === 'any') return true
  return service.entries.some(
    (entry) =>
      entry.protocol === protocol &&
      (entry.ranges.length === 0 || entry.ranges.some(({ from, to }) => from <= port && port <= to)),
  )
}
