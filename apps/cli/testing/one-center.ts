/** A center as production makes it, in a directory of its own, with one host enrolled whose small agent is connected; and the CLI pointed at it. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createCenter, type Center } from '@hyperward/center'
import { enrollHost } from '@hyperward/pki'
import type { ReportedVm } from '@hyperward/protocol'

import { connectAgent, type SmallAgent } from './connect-agent.ts'
import { runCli, type Ran } from './run-cli.ts'

export interface OneCenter {
  readonly directory: string
  readonly center: Center
  readonly agent: SmallAgent
  readonly cli: (...argv: readonly string[]) => Promise<Ran>
  /** Path of a new file with that text. */
  readonly write: (name: string, text: string) => Promise<string>
  readonly close: () => Promise<void>
}

export async function startOneCenter(vms: readonly ReportedVm[]): Promise<OneCenter> {
  const directory = await mkdtemp(join(tmpdir(), 'hwi-cli-'))
  await chmod(directory, 0o711)
  const center = await createCenter({ data: join(directory, 'center'), listen: { host: '127.0.0.1', port: 0 } })
  const cli = (...argv: readonly string[]): Promise<Ran> =>
    runCli(argv, {
      homeDirectory: directory,
      env: { HYPERWARD_CENTER: center.url, HYPERWARD_CA: center.caPath, HYPERWARD_TOKEN_FILE: center.adminTokenPath },
    })
  const tokenFile = join(directory, 'kvm-1.token')
  const added = await cli('hosts', 'add', 'kvm-1', '--out', tokenFile)
  if (added.code !== 0 || added.stderr !== '') throw new Error(`the host was not added: ${added.stderr}`)
  if (((await stat(tokenFile)).mode & 0o777) !== 0o600) throw new Error('the token can be read by others')
  const agent = await connectAgent(center.url, await enrollHost(center.url, await readFile(tokenFile, 'utf8')), vms)
  return {
    directory,
    center,
    agent,
    cli,
    async write(name, text) {
      const path = join(directory, name)
      await writeFile(path, text)
      return path
    },
    async close() {
      agent.close()
      await center.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
