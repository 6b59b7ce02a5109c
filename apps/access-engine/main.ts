/** The access engine's process: `run`, `enroll`, `door`, `status` and `remove` (see arguments.ts). Exit codes: 0 done, 1 it failed, 2 wrong arguments or configuration. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { release } from 'node:os'

import { createEbpfDriver, probeKernel } from '@hyperward/driver-ebpf'
import { createDoor, renderDoor } from '@hyperward/driver-nftables'
import { createNftablesDriver, probeNftables } from '@hyperward/driver-nftables-endpoint'
import { known, OperationError, unknown } from '@hyperward/model'
import { execOk, readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { createKeyAndCsr } from '@hyperward/pki'
import { parseHostPlan } from '@hyperward/policy'
import { pino, type Logger } from 'pino'

import { parseArguments, usage } from './arguments.ts'
import { connectWebsocket } from './channel/connect-websocket.ts'
import { readConfig, type EngineConfig } from './config.ts'
import { chooseDatapath, type Driver } from './enforce/choose-datapath.ts'
import type { DatapathReport, GatewayPort, Inspection } from './enforce/enforcer.ts'
import { createMoveOut } from './enforce/move-out.ts'
import { createStandingDoor } from './enforce/standing-door.ts'
import { createEngine, type Engine } from './engine.ts'
import { enroll } from './enroll/enroll.ts'
import { loadHostIdentity, readCertificateLife, saveHostIdentity } from './enroll/host-identity.ts'
import { createPlanStore, type PlanStore } from './plan/plan-store.ts'
import { removeProtection, type RemoveOptions } from './remove.ts'
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
  const { datapath, driver, reason, lacks } = await chooseDatapath(
    config.datapath,
    { ebpf: ebpfDriver(config), nftables: nftablesDriver(config) },
    (problem) => log.warn({ reason: problem }, 'what the other driver left could not be taken away'),
  )
  log.info({ driver, reason }, 'the driver was chosen')
  const engine = createEngine({
    host: config.host,
    software,
    kernel: release(),
    stream: randomUUID(),
    datapath,
    driver: { name: driver, reason },
    kernelLacks: lacks,
    door,
    store: openPlanStore(config),
    openLibvirt: (handlers) => openLibvirtSession({ path: config.libvirtSocket }, handlers),
    moveOut: createMoveOut(config.libvirtSocket),
    links: linkReader,
    isSameLink,
    observeInspection: () => observeInspection(config),
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

/** Ports that cannot be looked up are not there: their gateway is down until they are. */
async function observeInspection({ gateways, failOpen }: EngineConfig): Promise<Inspection> {
  const devices = gateways.flatMap(({ inside, outside }) => [inside, outside])
  const links = await linkReader.read(devices)
  const port = (device: string): GatewayPort => {
    const link = links.known ? links.value.get(device) : undefined
    return { device, ifindex: link?.ifindex ?? null }
  }
  return {
    gateways: gateways.map((one) => ({ ...one, inside: port(one.inside), outside: port(one.outside) })),
    failOpen,
  }
}

function ebpfDriver(config: EngineConfig): Driver {
  return {
    open: async () => openDriver(config),
    async removeLeft() {
      // without our pins nothing of it can be on a tap; opening it would load it
      if (!existsSync(config.pinRoot)) return
      const driver = openDriver(config)
      if (!driver.known) return
      const { outcome, reason } = await driver.value.reconcile(null, [])
      driver.value.close()
      if (outcome === 'failed') throw new Error(reason ?? 'its programs stay')
    },
  }
}

function nftablesDriver({ host, gateways }: EngineConfig): Driver {
  const reason = 'nftables guards this host, and it steers to no gateway'
  const counts = { packets: 0, bytes: 0, returned: 0, refused: 0 }
  const unused = gateways.map(({ name, draining }) => ({ name, state: 'down' as const, draining, reason, ...counts }))
  return {
    async open() {
      const able = await probeNftables()
      if (!able.known) return able
      const driver = createNftablesDriver({ host, now: () => new Date() })
      const carriesNone = unknown<never>('nftables guards this host, and carries no connections')
      return known({
        ...driver,
        probeGateways: () => known(unused),
        exportConnections: () => carriesNone,
        importConnections: () => carriesNone,
      })
    },
    removeLeft: async () => void (await createNftablesDriver({ host, now: () => new Date() }).remove()),
  }
}

function openDriver({ objectPath, pinRoot, host }: EngineConfig): ReturnType<typeof createEbpfDriver> {
  const probed = probeKernel()
  return probed.known ? createEbpfDriver({ objectPath, pinRoot, host, now: () => new Date() }) : probed
}

/** Both drivers: what an earlier configuration left is taken away too. A kernel that cannot run the eBPF driver has nothing of it, unless there are pins. */
function openForRemoval(config: EngineConfig): ReturnType<RemoveOptions['openDatapath']> {
  const ebpf = openDriver(config)
  if (!ebpf.known && existsSync(config.pinRoot)) return ebpf
  return known({
    async reconcile(): Promise<DatapathReport> {
      const report = ebpf.known ? await ebpf.value.reconcile(null, []) : null
      if (report?.outcome === 'failed') return report
      const steps = await createNftablesDriver({ host: config.host, now: () => new Date() }).remove()
      return { outcome: 'applied', reason: null, steps: steps + (report?.steps ?? 0), endpoints: [] }
    },
    close() {
      if (ebpf.known) ebpf.value.close()
    },
  })
}

async function remove(config: EngineConfig): Promise<void> {
  // no engine may run, nor start meanwhile: it would put up again what is taken down
  const socket = await serveStatus(config.statusSocket, () => ({
    running: false,
    reason: 'protection is being removed',
  }))
  try {
    const { guarded, steps, pins } = await removeProtection({
      openDatapath: () => openForRemoval(config),
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
