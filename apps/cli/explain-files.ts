/** `explain` with files instead of a center: the executable reference of the datapath, asked at each side's own host plan. */
import { type HostPlan, type Inventory, type Packet } from '@hyperward/model'
import { lookupIdentity, lookupVerdict } from '@hyperward/policy'
import type { ApiEndpoint, ApiExplainResult } from '@hyperward/protocol'

import type { Io } from './command.ts'
import { compileOffline, loadInventory, loadPolicy } from './offline.ts'
import { readDocument } from './read-document.ts'

type KnownEndpoint = Pick<ApiEndpoint, 'id' | 'vm' | 'addresses' | 'tenant' | 'host'>

export interface FileExplainer {
  readonly endpoints: readonly KnownEndpoint[]
  readonly explainPair: (packet: Packet) => ApiExplainResult
}

export async function explainFiles(
  policyPath: string,
  inventoryPath: string,
  io: Pick<Io, 'stdin'>,
): Promise<FileExplainer> {
  const policy = loadPolicy(await readDocument(policyPath, io))
  const inventory = loadInventory(await readDocument(inventoryPath, io))
  const { compilation } = compileOffline(policy, inventory)
  const endpoints = toEndpoints(inventory.value)
  const plans = new Map(compilation.plans.map((plan) => [plan.host as string, plan])) // as: asked by the plain names of the API's form
  return { endpoints, explainPair: (packet) => explainPair(packet, endpoints, plans) }
}

function explainPair(
  packet: Packet,
  endpoints: readonly KnownEndpoint[],
  plans: ReadonlyMap<string, HostPlan>,
): ApiExplainResult {
  const { source, destination, protocol, port } = packet
  const [anyPlan] = plans.values()
  const ownerOf = (address: string): KnownEndpoint | undefined =>
    endpoints.find(({ addresses, host, id }) => addresses.includes(address) && isPlanned(plans.get(host), id, address))
  const party = (address: Packet['source']): ApiExplainResult['source'] => {
    const owner = ownerOf(address)
    return {
      address,
      identity: anyPlan === undefined ? 1 : lookupIdentity(anyPlan.sections, address),
      endpoint: owner?.id ?? null,
      vmName: owner?.vm.name ?? null,
      tenant: owner?.tenant ?? null,
      host: owner?.host ?? null,
    }
  }
  const side = (direction: 'egress' | 'ingress'): ApiExplainResult['sides'] => {
    const [local, peer] = direction === 'egress' ? [source, destination] : [destination, source]
    const owner = ownerOf(local)
    const plan = owner === undefined ? undefined : plans.get(owner.host)
    if (owner === undefined || plan === undefined) return []
    const { action, rule } = lookupVerdict(plan, direction, local, peer, protocol, port)
    const { ref, tier, tenant, policy, name } = rule
    return [{ direction, endpoint: owner.id, decided: { action, rule: { ref, tier, tenant, policy, name } } }]
  }
  const sides = [...side('egress'), ...side('ingress')]
  const refusing = sides.find(({ decided }) => decided.action !== 'allow')
  // nothing of ours at either end: nothing of ours decides, and nothing is said to be allowed
  const action = refusing?.decided.action ?? (sides.length === 0 ? 'drop' : 'allow')
  return { policy: 'draft', revision: 0, action, source: party(source), destination: party(destination), sides }
}

/** An address two endpoints claim belongs to neither, and an endpoint without a tenant has no plan. */
function isPlanned(plan: HostPlan | undefined, id: string, address: string): boolean {
  return (
    plan?.sections.endpoints.some(
      (endpoint) => endpoint.id === id && endpoint.addresses.some((own) => own === address),
    ) === true
  )
}

function toEndpoints(inventory: Inventory): readonly KnownEndpoint[] {
  return inventory.vms.flatMap(({ uuid, name, host, tenant, endpoints }) =>
    endpoints.map(({ id, addresses }) => ({ id, vm: { uuid, name }, addresses: [...addresses], tenant, host })),
  )
}
