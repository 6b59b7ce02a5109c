/** The whole center, wired; what `main.ts` runs and tests run. Everything it keeps is in its data directory and its store. */
import { chmod, mkdir } from 'node:fs/promises'
import { Server as HttpsServer } from 'node:https'
import { isIP, type AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'
import { openCa, type Ca } from '@hyperward/pki'
import {
  markAnnounced,
  openStore,
  readEnrolledHosts,
  readHolders,
  readOverrides,
  readVms,
  type OpenedStore,
} from '@hyperward/store'
import type { FastifyInstance } from 'fastify'
import { pino, type Logger } from 'pino'

import { acceptAgents } from './channel/accept-agents.ts'
import { createAgentRegistry } from './channel/agent-registry.ts'
import { serveDefaults, type ServeOptions } from './channel/serve-agent.ts'
import { createApp } from './http/create-app.ts'
import { ensureAdminToken } from './services/admin-token.ts'
import { createPolicyWorker } from './policy/policy-worker.ts'
import { createEventBus } from './services/event-bus.ts'
import { createInventoryView } from './services/inventory-view.ts'
import { lapseClaims } from './services/lapse-claims.ts'
import { createMigrations } from './services/migrations.ts'
import { createPublisher } from './services/publisher.ts'
import { createRecorder } from './services/recorder.ts'
import { startRetention, type RetentionLimits } from './services/retention.ts'
import type { Services } from './services/services.ts'
import { software } from './software.ts'

export interface CenterOptions {
  /** Made if missing. */
  readonly data: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly name?: string
  /** Without it an embedded PostgreSQL in the data directory. */
  readonly storeUrl?: string
  readonly clock?: () => Date
  readonly log?: Logger
  readonly channel?: Partial<ServeOptions>
  readonly retention?: Partial<RetentionLimits>
  readonly maxPlanBytes?: number
  /** How often schedules look at the clock, at least. */
  readonly lookEveryMs?: number
  /** How long a question about a policy may take; default 25 s. */
  readonly questionLimitMs?: number
  /** How long the proof of what is published may take; default 60 s. */
  readonly proofLimitMs?: number
}

export interface Center {
  readonly url: string
  readonly adminTokenPath: string
  readonly caPath: string
  readonly services: Services
  readonly app: FastifyInstance
  /** Stops taking work, tells agents, closes the store. */
  close(): Promise<void>
}

const dayMs = 86_400_000
/** A center that was killed is given up by its database within this. */
const soleUseMs = 5000
const lapseEveryMs = 30_000

export async function createCenter(options: CenterOptions): Promise<Center> {
  const clock = options.clock ?? (() => new Date())
  const log = options.log ?? pino({ level: 'silent' })
  const name = options.name ?? 'hyperward'
  await mkdir(options.data, { recursive: true, mode: 0o711 })
  // the store's own account passes through; it can list nothing, and every secret in here is 0600
  await chmod(options.data, 0o711)
  const ca = await openCa({ directory: options.data, name, clock })
  const onNotice = (text: string): void => log.warn({ part: 'store' }, text)
  const store = await openStore(
    options.storeUrl === undefined
      ? { kind: 'embedded', dir: join(options.data, 'store'), onNotice, soleUseMs }
      : { kind: 'url', url: options.storeUrl, onNotice, soleUseMs },
  )
  try {
    return await openCenter({ ...options, clock, log, name }, ca, store)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function openCenter(
  options: CenterOptions & { readonly clock: () => Date; readonly log: Logger; readonly name: string },
  ca: Ca,
  store: OpenedStore,
): Promise<Center> {
  const { clock, log, name } = options
  const bus = createEventBus()
  const recorder = createRecorder({ store, bus, clock })
  const registry = createAgentRegistry()
  const inventory = createInventoryView()
  inventory.load({
    hosts: await readEnrolledHosts(store),
    claims: await readVms(store),
    overrides: await readOverrides(store),
    holders: await readHolders(store),
  })
  const onFailure = (error: unknown): void => log.error({ err: error }, 'a background task failed')
  const onAnnounced = (revision: number, hosts: readonly string[]): void => {
    if (hosts.length > 0) markAnnounced(store, revision, hosts, clock()).catch(onFailure)
  }
  const worker = createPolicyWorker({ limitMs: options.proofLimitMs })
  // people wait: the CLI gives up after 30 s
  const questionWorker = createPolicyWorker({ limitMs: options.questionLimitMs ?? 25_000 })
  const publisher = createPublisher({
    store,
    inventory,
    recorder,
    worker,
    questions: questionWorker,
    clock,
    onFailure,
    maxPlanBytes: options.maxPlanBytes,
    lookEveryMs: options.lookEveryMs,
    announce(revision, hosts) {
      const told = hosts.filter((host) => {
        const planned = publisher.hosts.find(host)
        return planned !== null && registry.find(host)?.announce(planned.revision, planned.digest) === true
      })
      onAnnounced(revision, told)
      log.info({ revision, changed: hosts.length, told: told.length }, 'published')
    },
  })
  await publisher.start()
  const adminTokenPath = await ensureAdminToken(store, options.data, clock)
  const migrations = createMigrations({ store, inventory, publisher, registry, recorder, clock, onFailure })
  const services: Services = {
    centerName: name,
    software,
    startedAt: clock(),
    clock,
    store,
    ca,
    bus,
    recorder,
    inventory,
    publisher,
    registry,
    migrations,
    questionWorker,
  }

  const server = await ca.issueServer(serverNames(options.listen.host))
  // administrators show no client certificate; agents are refused without one where they connect
  const https = { ...toServerTls(server, ca), requestCert: true, rejectUnauthorized: false }
  const app = await createApp(services, { https, logger: log })
  const agents = acceptAgents(
    app.server,
    {
      ...services,
      centerName: name,
      onAnnounced,
      onConnected: (host) => log.info({ host }, 'agent connected'),
      onClosed(connection, reason) {
        registry.remove(connection)
        log.info({ host: connection.host, reason }, 'agent disconnected')
      },
      onRefused: (reason, remote) => log.warn({ reason, remote }, 'agent refused'),
      onFailure: (host, error) => log.error({ host, err: error }, 'serving an agent failed'),
    },
    { ...serveDefaults, ...options.channel },
  )
  const renewal = setInterval(() => void renewServer(app, ca, options.listen.host).catch(onFailure), dayMs)
  renewal.unref()
  const lapse = setInterval(() => void lapseClaims(services).catch(onFailure), lapseEveryMs)
  lapse.unref()
  const retention = startRetention({ store, publisher, clock, onFailure }, options.retention ?? {})
  await listen(app, options.listen)

  return {
    url: toUrl(app.server.address(), options.listen.host),
    adminTokenPath,
    caPath: join(options.data, 'ca.pem'),
    services,
    app,
    async close() {
      clearInterval(renewal)
      clearInterval(lapse)
      retention.stop()
      publisher.stop()
      agents.close()
      // what is asked now is given up: nobody waits a minute for a center to stop
      await Promise.all([worker.close(), questionWorker.close()])
      await app.close()
      await publisher.settled()
      await store.close()
    },
  }
}

async function renewServer(app: FastifyInstance, ca: Ca, host: string): Promise<void> {
  const server = await ca.issueServer(serverNames(host))
  // an HTTPS server always; the application's type is that of plain HTTP
  if (app.server instanceof HttpsServer) {
    app.server.setSecureContext(toServerTls(server, ca))
  }
}

function toServerTls(server: { readonly keyPem: string; readonly pem: string }, ca: Ca) {
  return {
    key: server.keyPem,
    // the authority too: an agent that has no certificate yet knows it by its fingerprint
    cert: server.pem + ca.certificatePem,
    ca: ca.certificatePem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
  } as const
}

async function listen(app: FastifyInstance, address: { readonly host: string; readonly port: number }): Promise<void> {
  try {
    await app.listen(address)
  } catch (cause) {
    const place = `${address.host}:${address.port}`
    const message = `the center could not listen on ${place} (${errnoCode(cause) ?? String(cause)})`
    throw new OperationError('center.listen-failed', message, { listen: place }, cause)
  }
}

/** By which the center can be reached; agents do not ask for a name (its SPIFFE id counts), other clients do. */
function serverNames(host: string): readonly string[] {
  const local = ['localhost', '127.0.0.1', '::1', hostname()]
  const anyAddress = host === '0.0.0.0' || host === '::'
  return [...new Set(anyAddress ? local : [...local, host])]
}

function toUrl(address: AddressInfo | string | null, host: string): string {
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `https://${isIP(shown) === 6 ? `[${shown}]` : shown}:${port}`
}
