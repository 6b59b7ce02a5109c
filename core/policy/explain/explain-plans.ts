/** The question of `explain`, put to the plans that hosts hold. They have verdicts, and no more the reasons. */
import type { Action, Address, Direction, EndpointId, HostName, HostPlan, Packet, PlannedRule } from '@hyperward/model'

import { lookupVerdict } from '../compile/lookup-verdict.ts'
import { linkLocalAddress } from '../resolve/link-local-address.ts'
import { combineVerdicts, type FlowVerdict } from './combine-verdicts.ts'

export interface LoadedSide {
  readonly direction: Direction
  readonly host: HostName
  readonly endpoint: EndpointId
  readonly action: Action
  readonly rule: PlannedRule
  /** The rule in monitor mode that would have decided. */
  readonly monitor: PlannedRule | null
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
      const { action, rule, monitor } = lookupVerdict(plan, direction, local, peer, packet.protocol, packet.port)
      return [{ direction, host: plan.host, endpoint: endpoint.id, action, rule, monitor }]
    })
  const sides = [
    ...ask('egress', packet.source, packet.destination),
    ...ask('ingress', packet.destination, packet.source),
  ]
  return { sides, verdict: combineVerdicts(sides.map((side) => side.action)) }
}
