/** Has this host's libvirt migrate a VM, over a connection of its own: the call lasts as long as the migration. */
import { createLibvirtConnection } from '@hyperward/driver-libvirt'
import { OperationError } from '@hyperward/model'

export interface MoveOut {
  readonly vm: string
  readonly destination: string
  readonly migrateUri: string | null
}

/** Resolves when it runs at the destination; fails as libvirt does, and then it runs on here. `onStopped`: it has stopped here, to go on there. */
export type MoveOutVm = (request: MoveOut, onStopped: () => void) => Promise<void>

const limitMs = 3_600_000

export function createMoveOut(path: string): MoveOutVm {
  return async (request, onStopped) => {
    const connection = await createLibvirtConnection({
      path,
      callTimeoutMs: limitMs,
      onEvent: (event) => {
        if (event.kind === 'lifecycle' && event.event === 'suspended' && event.domain.uuid === request.vm) onStopped()
      },
    })
    try {
      await connection.subscribe()
      const domain = (await connection.listDomains()).find(({ uuid, id }) => uuid === request.vm && id >= 0)
      if (domain === undefined) {
        throw new OperationError('libvirt.call-failed', `no VM ${request.vm} runs here`, { vm: request.vm })
      }
      await connection.migrate(domain, request.destination, request.migrateUri)
    } finally {
      await connection.close()
    }
  }
}
