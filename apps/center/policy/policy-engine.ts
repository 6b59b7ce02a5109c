/** core/policy as the center uses it: one compile from policy and inventory, and the questions the API asks of a compilation. Pure. */
import type { Diagnostic, HostPlan, Inventory, Packet, Policy, Revision } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { compile, lookupIdentity, lookupVerdict, resolve, type Compilation } from '@hyperward/policy'
import type { ApiExplainResult, ApiRuleOrigin } from '@hyperward/protocol'

export interface CompileRequest {
  readonly policy: Policy
  readonly inventory: Inventory
  readonly revision: Revision
  /** Makes a small change quick; of the same policy or not. */
  readonly previous: Compilation | null
}

export function compilePolicy({ policy, inventory, revision, previous }: CompileRequest): Compilation {
  const resolved = resolve(policy, inventory, previous?.resolved)
  return compile(resolved, { revision, sha256: sha256Hex, ...(previous === null ? {} : { previous }) })
}

/** What of the inventory was left out, and why. */
export function toProblems(compilation: Compilation): readonly Diagnostic[] {
  return compilation.resolved.problems
}

export type Explained = Pick<ApiExplainResult, 'action' | 'source' | 'destination' | 'sides'>

/** Asks the plans themselves, by the datapath's own order of look-ups: what is told is what is loaded. */
export function explainPacket(compilation: Compilation, packet: Packet): Explained {
  const source = findParty(compilation, packet.source)
  const destination = findParty(compilation, packet.destination)
  const sides: ApiExplainResult['sides'] = []
  const ask = (direction: 'egress' | 'ingress', own: Party, other: Party): void => {
    if (own.plan === null || own.told.endpoint === null) return
    const found = lookupVerdict(own.plan, direction, own.address, other.address, packet.protocol, packet.port)
    const { ref, tier, tenant, policy, name } = found.rule
    const rule: ApiRuleOrigin = { ref, tier, tenant, policy, name }
    sides.push({ direction, endpoint: own.told.endpoint, decided: { action: found.action, rule } })
  }
  ask('egress', source, destination)
  ask('ingress', destination, source)
  const refusing = sides.find((side) => side.decided.action !== 'allow')
  // a packet between two addresses that are nobody's endpoint passes no door of ours: not ours to allow
  const action = sides.length === 0 ? 'drop' : (refusing?.decided.action ?? 'allow')
  return { action, source: source.told, destination: destination.told, sides }
}

interface Party {
  readonly address: Packet['source']
  readonly plan: HostPlan | null
  readonly told: ApiExplainResult['source']
}

function findParty(compilation: Compilation, address: Packet['source']): Party {
  for (const plan of compilation.plans) {
    const endpoint = plan.sections.endpoints.find((each) => each.addresses.includes(address))
    if (endpoint === undefined) continue
    const identity = lookupIdentity(plan, address)
    const { id, vmName, tenant } = endpoint
    return { address, plan, told: { address, identity, endpoint: id, vmName, tenant, host: plan.host } }
  }
  const [any] = compilation.plans
  const identity = any === undefined ? 1 : lookupIdentity(any, address)
  return { address, plan: null, told: { address, identity, endpoint: null, vmName: null, tenant: null, host: null } }
}
