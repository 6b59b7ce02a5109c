/** `explain` with files instead of a center: the same functions of core/policy that the center runs, at this moment. */
import type { Inventory, Packet } from '@hyperward/model'
import { activeAt, explain, resolve, tellExplanation } from '@hyperward/policy'
import type { ApiEndpoint, ApiExplainResult } from '@hyperward/protocol'

import type { Io } from './command.ts'
import { loadInventory, loadPolicy } from './offline.ts'
import { readDocument } from './read-document.ts'
import { readPolicyDocument } from './read-policy.ts'

type KnownEndpoint = Pick<ApiEndpoint, 'id' | 'vm' | 'addresses' | 'tenant' | 'host'>

export interface FileExplainer {
  readonly endpoints: readonly KnownEndpoint[]
  readonly explainPair: (packet: Packet) => ApiExplainResult
}

export async function explainFiles(
  policyPath: string,
  inventoryPath: string,
  io: Pick<Io, 'stdin' | 'now'>,
): Promise<FileExplainer> {
  const policy = loadPolicy(await readPolicyDocument([policyPath], io))
  const inventory = loadInventory(await readDocument(inventoryPath, io))
  const resolved = resolve(activeAt(policy.value, io.now().getTime()), inventory.value)
  return {
    endpoints: toEndpoints(inventory.value),
    explainPair: (packet) => ({ policy: 'draft', revision: 0, ...tellExplanation(explain(resolved, packet)) }),
  }
}

function toEndpoints(inventory: Inventory): readonly KnownEndpoint[] {
  return inventory.vms.flatMap(({ uuid, name, host, tenant, endpoints }) =>
    endpoints.map(({ id, addresses }) => ({ id, vm: { uuid, name }, addresses: [...addresses], tenant, host })),
  )
}
