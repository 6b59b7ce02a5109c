import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execOk, type ExecOptions, type ExecResult, type RunningProcess, type StartOptions } from '@hyperward/os'

import { createCgroups, readCgroupHierarchies, toTrackingDirectory } from './cgroups.ts'
import { openLabRecord, type LabEntry } from './lab-record.ts'
import { execIn, startIn, type Place } from './place.ts'

export interface LabOptions {
  /** First part of every name made; 1–8 of a-z0-9. One live lab a prefix. */
  readonly prefix: string
  /** Working directory, made and removed by the lab; default `<tmp>/<prefix>-lab`. Keep it short: unix sockets end at 107 bytes. */
  readonly dir?: string
}

/** The lab: owns all it makes, removes it in `close`, and is removed by the next run's `cleanupStale` if it was killed. */
export interface Lab {
  readonly prefix: string
  readonly dir: string
  /** Makes a network namespace `<prefix>-<name>` with lo up; returns its full name. */
  addNetns(name: string): Promise<string>
  /** Runs a program in a namespace of this lab (default: outside), as a process that the lab owns. */
  exec(netns: string | null, file: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>
  start(netns: string | null, file: string, args: readonly string[], options?: StartOptions): Promise<RunningProcess>
  /** Put something on record (before making it) so that `close` and `cleanupStale` remove it. */
  record(entry: LabEntry): void
  /** The same, with the making: `close` waits for what has begun, and nothing begins after it. */
  make(entry: LabEntry, making: () => Promise<unknown>): Promise<void>
  /** Ends all processes of the lab and removes all it made. */
  close(): Promise<void>
}

export async function createLab(options: LabOptions): Promise<Lab> {
  const { prefix } = options
  if (!/^[a-z][a-z0-9]{0,7}$/.test(prefix)) throw new Error(`lab prefix "${prefix}": 1-8 of a-z0-9, a letter first`)
  const record = await openLabRecord(prefix)
  const dir = options.dir ?? join(tmpdir(), `${prefix}-lab`)
  try {
    record.add({ kind: 'directory', path: dir })
    mkdirSync(dir, { recursive: true, mode: 0o755 })
    const hierarchies = await readCgroupHierarchies()
    const cgroup = `${prefix}-lab`
    await record.make({ kind: 'cgroup', name: cgroup }, () => createCgroups(hierarchies, cgroup))
    const place: Place = { cgroup: toTrackingDirectory(hierarchies, cgroup), enter: [] }
    const inNetns = (netns: string | null): Place =>
      netns === null ? place : { ...place, enter: [`--net=/run/netns/${netns}`] }
    return {
      prefix,
      dir,
      addNetns: async (name) => {
        const full = `${prefix}-${name}`
        await record.make({ kind: 'netns', name: full }, async () => {
          await execOk('ip', ['netns', 'add', full])
          await execOk('ip', ['-n', full, 'link', 'set', 'lo', 'up'])
        })
        return full
      },
      exec: (netns, file, args, execOptions) => execIn(inNetns(netns), file, args, execOptions),
      start: (netns, file, args, startOptions) => startIn(inNetns(netns), file, args, startOptions),
      record: (entry) => record.add(entry),
      make: (entry, making) => record.make(entry, making),
      close: () => record.removeAll(),
    }
  } catch (error) {
    await record.removeAll()
    throw error
  }
}
