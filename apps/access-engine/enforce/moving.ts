/** What this host does for a VM that moves: its connections out of the tables here, or into them, and asking libvirt. */
import { OperationError, parseVmUuid, unknown, type EndpointId, type Observed } from '@hyperward/model'
import type { AgentMessage, CenterMessage } from '@hyperward/protocol'

import type { EngineLog } from '../report/log-round.ts'
import type { EngineDatapath } from './engine-datapath.ts'
import type { Enforcer } from './enforcer.ts'
import type { MoveOutVm } from './move-out.ts'

export interface MovingOptions {
  readonly datapath: EngineDatapath
  readonly enforcer: Enforcer
  readonly moveOut: MoveOutVm
  readonly send: (message: AgentMessage) => void
  readonly log: Pick<EngineLog, 'info'>
}

export interface Moving {
  onMessage(
    message: Extract<CenterMessage, { kind: 'export-connections' | 'import-connections' | 'move-out' }>,
  ): Promise<void>
}

/** Answers what the center asks of a VM that moves. */
export function createMoving({ datapath, enforcer, moveOut, send, log }: MovingOptions): Moving {
  const sendConnections = (id: number, vm: string): void => {
    const exported = exportVm(datapath, enforcer, vm)
    const answer = exported.known
      ? { carried: exported.value, reason: null }
      : { carried: null, reason: exported.reason }
    send({ kind: 'connections', id, ...answer })
  }
  return {
    async onMessage(message) {
      const { id, vm } = message
      if (message.kind === 'export-connections') return sendConnections(id, vm)
      if (message.kind === 'import-connections') {
        return send({ kind: 'carried-in', id, reason: importVm(datapath, enforcer, vm, message.carried) })
      }
      const { destination, migrateUri } = message
      let reason: string | null = null
      try {
        await moveOut({ vm, destination, migrateUri }, () => sendConnections(id, vm))
      } catch (error) {
        reason = error instanceof OperationError ? `${error.code}: ${error.message}` : String(error)
      }
      log.info({ vm, destination, reason }, 'the migration of a VM is over')
      send({ kind: 'moved-out', id, reason: reason?.slice(0, 4000) ?? null })
    },
  }
}

/** Base64. Of the endpoints that this host has of the VM. */
function exportVm(datapath: EngineDatapath, enforcer: Enforcer, vm: string): Observed<string> {
  const taps = enforcer.lastEnforced()?.taps ?? []
  const endpoints = taps.filter((tap) => tap.vm === parseVmUuid(vm)).map((tap) => tap.endpoint)
  if (endpoints.length === 0) return unknown(`VM ${vm} is not guarded here`)
  const carried = datapath.exportConnections(endpoints)
  return carried.known ? { known: true, value: carried.value.toString('base64') } : carried
}

/** Why not, or null. Only for a VM that the plan enforced here has. */
function importVm(datapath: EngineDatapath, enforcer: Enforcer, vm: string, carried: string): string | null {
  const plan = enforcer.lastEnforced()?.plan ?? null
  const endpoints: readonly EndpointId[] =
    plan?.sections.endpoints.map(({ id }) => id).filter((id) => id.startsWith(`${vm}/`)) ?? []
  if (plan === null || endpoints.length === 0) return `VM ${vm} is not in the plan enforced here`
  const taken = datapath.importConnections(plan, endpoints, Buffer.from(carried, 'base64'))
  return taken.known ? null : taken.reason
}
