/** Which rule decides a packet's fate and why the others do not, in the policy's own words. */
import {
  type Action,
  type Address,
  defaultDropRef,
  type Direction,
  type EndpointId,
  type GroupName,
  type HostName,
  type Identity,
  type Packet,
  type Rule,
  type RuleRef,
  type TenantName,
  type Vm,
} from '@hyperward/model'

import { lookupIdentity } from '../compile/lookup-verdict.ts'
import { linkLocalAddress } from '../resolve/link-local-address.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { combineVerdicts, type FlowVerdict } from './combine-verdicts.ts'
import { type AddressOwner, groupsOf } from './group-membership.ts'
import { type RuleStep, walkRules } from './walk-rules.ts'

export interface ExplainedAddress {
  readonly address: Address
  readonly identity: Identity
  readonly endpoint: EndpointId | null
  readonly vmName: string | null
  readonly host: HostName | null
  readonly tenant: TenantName | null
  readonly groups: readonly GroupName[]
}

export interface ExplainedSide {
  readonly direction: Direction
  readonly endpoint: EndpointId
  readonly action: Action
  readonly ref: RuleRef
  /** Null when no rule matched: the default drop. */
  readonly rule: Rule | null
  /** Of `inspect`: the gateway profile. */
  readonly profile: GroupName | null
  /** The first rule in monitor mode that would have decided. */
  readonly monitor: Rule | null
  /** Every rule of the provider and of the endpoint's tenant, in order of evaluation, also those that do not hold now. */
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
  const sides = (['egress', 'ingress'] as const).flatMap((direction): readonly ExplainedSide[] => {
    const local = direction === 'egress' ? source : destination
    if (local.endpoint === null || local.tenant === null) return []
    const { steps, rule, monitor } = walkRules(resolved.policy, {
      packet,
      direction,
      tenant: local.tenant,
      source: new Set(source.groups),
      destination: new Set(destination.groups),
    })
    const decided = { action: rule?.action ?? 'drop', ref: rule?.ref ?? defaultDropRef, rule } as const
    return [{ direction, endpoint: local.endpoint, ...decided, profile: rule?.profile ?? null, monitor, walk: steps }]
  })
  return { packet, source, destination, sides, verdict: combineVerdicts(sides.map((side) => side.action)) }
}

function explainAddress(resolved: ResolvedPolicy, address: Address): ExplainedAddress {
  const { policy, inventory, addresses, networks } = resolved
  const owner = findOwner(inventory.vms, address, resolved)
  return {
    address,
    identity: lookupIdentity({ addresses, networks }, address),
    endpoint: owner?.endpoint.id ?? null,
    vmName: owner?.vm.name ?? null,
    host: owner?.vm.host ?? null,
    tenant: owner?.tenant ?? null,
    groups: [...groupsOf(policy, address, owner)].sort(),
  }
}

/** The endpoint that an address is enforced as; none when two claim it. */
function findOwner(vms: readonly Vm[], address: Address, resolved: ResolvedPolicy): AddressOwner | null {
  if (resolved.records.claims.taken.has(address)) return null
  for (const vm of vms) {
    const { tenant } = vm
    if (tenant === null) continue
    for (const endpoint of vm.endpoints) {
      if (endpoint.addresses.includes(address) || linkLocalAddress(endpoint.mac) === address) {
        return { vm, endpoint, tenant }
      }
    }
  }
  return null
}
