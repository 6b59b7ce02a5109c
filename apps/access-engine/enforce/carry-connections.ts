/** Connections of a VM that moves: out of this host's tables, or into them. */
import { parseVmUuid, unknown, type EndpointId, type Observed } from '@hyperward/model'

import type { EngineDatapath } from './engine-datapath.ts'
import type { Enforcer } from './enforcer.ts'

/** Base64. Of the endpoints that this host has of the VM. */
export function exportVm(datapath: EngineDatapath, enforcer: Enforcer, vm: string): Observed<string> {
  const taps = enforcer.lastEnforced()?.taps ?? []
  const endpoints = taps.filter((tap) => tap.vm === parseVmUuid(vm)).map((tap) => tap.endpoint)
  if (endpoints.length === 0) return unknown(`VM ${vm} is not guarded here`)
  const carried = datapath.exportConnections(endpoints)
  return carried.known ? { known: true, value: carried.value.toString('base64') } : carried
}

/** Why not, or null. Only for a VM that the plan enforced here has. */
export function importVm(datapath: EngineDatapath, enforcer: Enforcer, vm: string, carried: string): string | null {
  const plan = enforcer.lastEnforced()?.plan ?? null
  const endpoints: readonly EndpointId[] =
    plan?.sections.endpoints.map(({ id }) => id).filter((id) => id.startsWith(`${vm}/`)) ?? []
  if (plan === null || endpoints.length === 0) return `VM ${vm} is not in the plan enforced here`
  const taken = datapath.importConnections(plan, endpoints, Buffer.from(carried, 'base64'))
  return taken.known ? null : taken.reason
}
