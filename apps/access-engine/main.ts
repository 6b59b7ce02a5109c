/** The access engine's process: `run`, `enroll`, `door`, `status` and `remove` (see arguments.ts). Exit codes: 0 done, 1 it failed, 2 wrong arguments or configuration. */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { release } from 'node:os'

import { createEbpfDriver, probeKernel } from '@hyperward/driver-ebpf'
import { createDoor, renderDoor } from '@hyperward/driver-nftables'
import { OperationError } from '@hyperward/model'
import { execOk, readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { createKeyAndCsr } from '@hyperward/pki'
import { parseHostPlan } from '@hyperward/policy'
import { pino, type Logger } from 'pino'

import { parseArguments, usage } from './arguments.ts'
import { connectWebsocket } from './channel/connect-websocket.ts'
import { readConfig, type EngineConfig } from './config.ts'
import { createClosedDatapath, type EngineDatapath } from './enforce/engine-datapath.ts'
import { createMoveOut } from './enforce/move-out.ts'
import { createStandingDoor } from './enforce/standing-door.ts'
import { createEngine, type Engine } from './engine.ts'
import { enroll } from './enroll/enroll.ts'
import { loadHostIdentity, readCertificateLife, saveHostIdentity } from './enroll/host-identity.ts'
import { createPlanStore, type PlanStore } from './plan/plan-store.ts'
import { removeProtection } from './remove.ts'
import { askStatus, serveStatus } from './status-socket.ts'
import { openLibvirtSession } from './taps/libvirt-session.ts'
import { isSameLink, linkReader } from './taps/read-links.ts'

const software = 'hyperward-access-engine/0.1.0'
const agentPath = '/v1/agent'

const files = {
  readFile: readFileIfExists,
  writeFile: (path: string, text: string): Promise<void> => writeFileAtomic(path, text, { mode: 0o600 }),
}

try {
  await runCommand(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof OperationError)) throw error
  process.stderr.write(`${error.code}: ${error.message}\n`)
  process.exitCode = ['engine.arguments', 'engine.config-malformed', 'engine.config-unsafe'].includes(error.code)
    ? 2
    : 1
}

async function runCommand(args: readonly string[]): Promise<void> {
  const command = parseArguments(args)
  if (command.kind === 'help') return void process.stdout.write(usage)
  const config = await readConfig(command.config, files.readFile)
  switch (command.kind) {
    case 'door':
      return createDoor({ tapPatterns: config.tapPatterns }).install()
    case 'enroll': {
      const identity = await enroll(config, command, files)
      const ends = new Date(readCertificateLife(identity).endsAt).toISOString()
      return void process.stdout.write(
        `${identity.host} is enrolled at ${identity.center}; its certificate ends ${ends}\n`,
      )
    }
    case 'status':
      return printStatus(config)
    case 'remove':
      return remove(config)
    case 'run':
      return run(config)
  }
}

async function run(config: EngineConfig): Promise<void> {
  const log = pino({ level: config.logLevel, base: { host: config.host } })
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 })
  const door = createStandingDoor({
    door: createDoor({ tapPatterns: config.tapPatterns }),
    wholeRules: renderDoor(config.tapPatterns).match(/^add rule /gm)?.length ?? 0,
    onRepaired: (what) => log.warn({ reason: what }, 'the closed door was put up again'),
  })
  const running: { engine: Engine | null } = { engine: null }
  // before anything is touched: a second engine must not get as far as the kernel
  const socket = await serveStatus(config.statusSocket, () => running.engine?.state() ?? { running: true })
  const { datapath, lacks } = openDatapath(config)
  const engine = createEngine({
    host: config.host,
    software,
    kernel: release(),
    stream: randomUUID(),
    datapath,
    kernelLacks: lacks,
    door,
    store: openPlanStore(config),
    openLibvirt: (handlers) => openLibvirtSession({ path: config.libvirtSocket }, handlers),
    moveOut: createMoveOut(config.libvirtSocket),
    links: linkReader,
    isSameLink,
    connectCenter: (identity, handlers) =>
      connectWebsocket({ center: config.center ?? identity.center, path: agentPath, identity }, handlers),
    loadIdentity: () => loadHostIdentity(config.stateDir, files),
    saveIdentity: (identity) => saveHostIdentity(config.stateDir, identity, files),
    createKeyAndCsr: () => createKeyAndCsr(config.host),
    log,
    now: () => Date.now(),
    random: () => Math.random(),
  })
  running.engine = engine
  stopOnSignal(engine, socket, log)
  await engine.start()
}

/** A kernel that cannot run the driver is told, and every endpoint stays behind its closed door. */
function openDatapath(config: EngineConfig): { readonly datapath: EngineDatapath; readonly lacks: string | null } {
  const driver = openDriver(config)
  if (driver.known) return { datapath: driver.value, lacks: null }
  const lacks = `the endpoint driver cannot run: ${driver.reason}; every endpoint stays closed`
  return { datapath: createClosedDatapath(lacks), lacks }
}

function openDriver({ objectPath, pinRoot, host }: EngineConfig): ReturnType<typeof createEbpfDriver> {
  const probed = probeKernel()
  return probed.known ? createEbpfDriver({ objectPath, pinRoot, host, now: () => new Date() }) : probed
}

async function remove(config: EngineConfig): Promise<void> {
  // no engine may run, nor start meanwhile: it would put up again what is taken down
  const socket = await serveStatus(config.statusSocket, () => ({
    running: false,
    reason: 'protection is being removed',
  }))
  try {
    const { guarded, steps, pins } = await removeProtection({
      openDatapath: () => openDriver(config),
      door: createDoor({ tapPatterns: config.tapPatterns }),
      // the driver's own words for its table: its name is made there alone
      takeDoorAway: async () => {
        const table = /^add table (.+)$/m.exec(renderDoor(config.tapPatterns))?.[1]
        if (table === undefined) throw new Error('the door is rendered without its table')
        await execOk('nft', ['-f', '-'], { input: `delete table ${table}\n` })
      },
      pinRoot: config.pinRoot,
    })
    process.stdout.write(
      `protection removed: ${guarded} guarded taps are now open, ${steps} kernel changes, ${pins} pins; ${config.stateDir} stays\n` +
        'the closed door comes back at the next boot unless hyperward-door and hyperward-access-engine are disabled\n',
    )
  } finally {
    await socket.close()
  }
}

function openPlanStore(config: EngineConfig): PlanStore {
  const { stateDir, host } = config
  return createPlanStore({ ...files, stateDir, host, parsePlan: (text) => parseHostPlan(text, sha256Hex) })
}

/** The first signal ends the engine in order; nothing that is loaded is taken out. */
function stopOnSignal(engine: Engine, socket: { close(): Promise<void> }, log: Logger): void {
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'access engine stops; what is loaded stays in force')
    void Promise.all([engine.stop(), socket.close()]).then(() => process.exit(0))
    // a part that hangs must not keep the service from being restarted
    setTimeout(() => process.exit(0), 5000).unref()
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

async function printStatus(config: EngineConfig): Promise<void> {
  const answer = await askStatus(config.statusSocket)
  if (answer.known) return void process.stdout.write(answer.value)
  const held = await openPlanStore(config).load()
  const identity = await loadHostIdentity(config.stateDir, files)
  const state = {
    host: config.host,
    running: false,
    reason: answer.reason,
    plan: held.kind === 'held' ? { revision: held.revision, digest: held.plan.digest } : { state: held.kind },
    enrolled: identity === null ? null : { center: identity.center, certificate: readCertificateLife(identity) },
  }
  process.stdout.write(`${JSON.stringify(state)}\n`)
}
