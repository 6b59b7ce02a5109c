/**
 * Moves virtual machines between hosts under policy: the target's plan has the VM before libvirt is asked, its connections go with it, and the target guards it
 * beside the source until the VM is at one of the two alone. Each step is told as an event. What is under way is not kept over a restart of the center: the
 * target then opens only when the source has reported that it let the VM go.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { OperationError } from '@hyperward/model'
import type { ApiMigration, MigrateVm } from '@hyperward/protocol'
import { isEnrolled, readHosts, type Store } from '@hyperward/store'

import type { AgentConnection, AgentRegistry } from '../channel/agent-registry.ts'
import type { InventoryView } from './inventory-view.ts'
import type { Publisher } from './publisher.ts'
import type { Recorder } from './recorder.ts'

export interface Migrations {
  /** Checks, then goes on by itself. Fails with `migration.refused`, `agent.not-connected` or `api.not-found`. */
  start(uuid: string, request: MigrateVm): Promise<ApiMigration>
  /** The latest of a VM. */
  find(uuid: string): ApiMigration | null
}

export interface MigrationDependencies {
  readonly store: Store
  readonly inventory: InventoryView
  readonly publisher: Publisher
  readonly registry: AgentRegistry
  readonly recorder: Recorder
  readonly clock: () => Date
  readonly onFailure: (error: unknown) => void
  /** How long a host may take for its plan, and for telling what it has; default 30 s. */
  readonly waitMs?: number
}

const pauseMs = 50
/** A finished one is remembered as long as no more than so many are. */
const mostKept = 1000

export function createMigrations(dependencies: MigrationDependencies): Migrations {
  const { store, inventory, publisher, registry, recorder, clock, onFailure, waitMs = 30_000 } = dependencies
  const known = new Map<string, ApiMigration>()

  const tell = async (migration: ApiMigration, step: string): Promise<void> => {
    migration.steps.push({ at: clock().toISOString(), step })
    await recorder.event(migration.to, 'migration', `${migration.name}: ${step}`)
  }

  const connected = (host: string): AgentConnection => {
    const agent = registry.find(host)
    if (agent === null) throw new OperationError('agent.not-connected', `${host} is not connected`, { host })
    return agent
  }

  /** Until it is so, for as long as hosts may take. */
  const becomes = async (isSo: () => boolean | Promise<boolean>): Promise<boolean> => {
    const end = Date.now() + waitMs
    while (!(await isSo())) {
      if (Date.now() > end) return false
      await sleep(pauseMs)
    }
    return true
  }

  const holdsPlan = async (host: string): Promise<boolean> => {
    const row = (await readHosts(store)).find((each) => each.name === host)
    return row !== undefined && row.planned_digest !== null && row.planned_digest === row.held_digest
  }

  const replan = async (uuid: string, host: string | null): Promise<void> => {
    inventory.setArriving(uuid, host)
    publisher.onInventoryChange()
    await publisher.settled()
  }

  const carry = async (migration: ApiMigration, carried: string, when: string): Promise<void> => {
    try {
      await connected(migration.to).importConnections(migration.uuid, carried)
      await tell(migration, `its connections were carried to ${migration.to} ${when}`)
    } catch (error) {
      if (!(error instanceof OperationError)) throw error
      await tell(migration, `connections were not carried ${when}: ${error.message}`)
    }
  }

  const move = async (migration: ApiMigration, request: MigrateVm): Promise<void> => {
    const { uuid, from, to } = migration
    await replan(uuid, to)
    if (!(await becomes(() => holdsPlan(to)))) {
      throw new OperationError('migration.failed', `${to} did not put its plan in force`, { host: to })
    }
    const planned = publisher.compiled()?.plans.find((plan) => plan.host === to)
    if (planned?.sections.endpoints.some(({ id }) => id.startsWith(`${uuid}/`)) !== true) {
      throw new OperationError('migration.failed', `no policy is in force for it at ${to}`, { host: to })
    }
    await tell(migration, `${to} guards it, closed, before it comes`)
    const source = connected(from)
    await carry(migration, await source.exportConnections(uuid), 'before it left')
    const carrying: Promise<void>[] = []
    const destination = request.destination ?? `qemu+tls://${to}/system`
    const migrateUri = request.migrateUri ?? null
    await tell(migration, `libvirt of ${from} moves it to ${destination}`)
    await source.moveOut({ vm: uuid, destination, migrateUri }, (carried) => {
      carrying.push(carry(migration, carried, 'when it stopped'))
    })
    await Promise.all(carrying)
    await tell(migration, `it has left ${from}`)
  }

  /** Where the VM is now is the hosts' to say; both guard it until one of them alone has it. */
  const settle = async (migration: ApiMigration, failure: string | null): Promise<void> => {
    const { uuid, from, to } = migration
    const isAt = (host: string): boolean => inventory.isReportedBy(host, uuid)
    const alone = await becomes(() => (failure === null ? isAt(to) && !isAt(from) : isAt(from) !== isAt(to)))
    if (alone) await replan(uuid, null)
    const arrived = alone && isAt(to)
    const unknown = `${to} and ${from} do not agree on who has it; both guard it`
    const reason = arrived ? null : alone ? (failure ?? unknown) : [failure, unknown].filter(Boolean).join('; ')
    if (arrived) await tell(migration, `it runs at ${to} under policy`)
    else await tell(migration, alone ? `it stays at ${from}: ${reason ?? ''}` : (reason ?? ''))
    Object.assign(migration, { state: arrived ? 'done' : 'failed', reason, endedAt: clock().toISOString() })
  }

  const run = async (migration: ApiMigration, request: MigrateVm): Promise<void> => {
    try {
      await move(migration, request)
    } catch (error) {
      if (!(error instanceof OperationError)) onFailure(error)
      return settle(migration, error instanceof OperationError ? error.message : 'the center failed')
    }
    await settle(migration, null)
  }

  return {
    async start(uuid, request) {
      const vm = inventory.vm(uuid)?.vm
      if (vm === undefined) throw new OperationError('api.not-found', `there is no VM ${uuid}`)
      const { host: to } = request
      const refuse = (why: string): never => {
        throw new OperationError('migration.refused', `${vm.name} cannot go to ${to}: ${why}`, { vm: uuid, host: to })
      }
      if (!(await isEnrolled(store, to))) throw new OperationError('api.not-found', `there is no host ${to}`)
      if (vm.host === to) refuse('it is there already')
      if (known.get(uuid)?.state === 'running') refuse('it is being migrated')
      if (vm.tenant === null) refuse('it has no tenant, so no policy')
      connected(to)
      connected(vm.host)
      if (!(await holdsPlan(to))) refuse('its plan is not in force there')
      const ids = new Set<string>(vm.endpoints.map(({ id }) => id))
      const contest = inventory.contests().find((each) => [each.holder, ...each.others].some((one) => ids.has(one)))
      if (contest !== undefined) refuse(contest.message)
      if (inventory.contests().some((each) => each.kind === 'vm' && each.claim === `vm ${uuid}`)) {
        refuse('two hosts report it')
      }
      const migration: ApiMigration = {
        uuid,
        name: vm.name,
        from: vm.host,
        to,
        state: 'running',
        reason: null,
        startedAt: clock().toISOString(),
        endedAt: null,
        steps: [],
      }
      for (const [key, { state }] of known) {
        if (known.size >= mostKept && state !== 'running') known.delete(key)
      }
      known.set(uuid, migration)
      run(migration, request).catch((error: unknown) => {
        onFailure(error)
        Object.assign(migration, { state: 'failed', reason: 'the center failed', endedAt: clock().toISOString() })
      })
      return migration
    },
    find: (uuid) => known.get(uuid) ?? null,
  }
}
