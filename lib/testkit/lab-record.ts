/**
 * What a lab has made, on disk before it is made, so that a later run can remove what a killed run left.
 * One file a lab: /run/hyperward-lab/<prefix>.<pid>.json. Removal undoes the entries from last to first.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { assertNever } from '@hyperward/model'
import { execOk, isRunning, readProcessIdentity, type ProcessIdentity } from '@hyperward/os'

import { readCgroupHierarchies, removeCgroups } from './cgroups.ts'

const recordDirectory = '/run/hyperward-lab'

export type LabEntry =
  | { readonly kind: 'netns'; readonly name: string }
  | { readonly kind: 'cgroup'; readonly name: string }
  | { readonly kind: 'mount'; readonly path: string }
  | { readonly kind: 'directory'; readonly path: string }

interface RecordContent {
  readonly owner: ProcessIdentity
  readonly entries: readonly LabEntry[]
}

export interface LabRecord {
  /** Call before making the thing. Throws once the lab is being removed: nothing may be made behind the removal's back. */
  add(entry: LabEntry): void
  /** Records the thing, then makes it; `removeAll` waits for a making that has begun. */
  make(entry: LabEntry, making: () => Promise<unknown>): Promise<void>
  /** Removes everything recorded, last first, then the record. */
  removeAll(): Promise<void>
}

/** Refuses while another live process holds a lab of this prefix; removes what dead ones left. */
export async function openLabRecord(prefix: string): Promise<LabRecord> {
  await cleanupStale(prefix)
  const holder = listRecords(prefix)[0]
  if (holder !== undefined) throw new Error(`a running process holds the lab "${prefix}" (${holder})`)
  const owner = await readProcessIdentity(process.pid)
  if (owner === null) throw new Error('this process has no /proc entry')
  mkdirSync(recordDirectory, { recursive: true, mode: 0o755 })
  const path = join(recordDirectory, `${prefix}.${owner.pid}.json`)
  const entries: LabEntry[] = []
  const save = (): void => writeFileSync(path, JSON.stringify({ owner, entries } satisfies RecordContent))
  save()
  let removing = false
  const begun = new Set<Promise<unknown>>()
  const add = (entry: LabEntry): void => {
    if (removing) throw new Error(`the lab "${prefix}" is being removed`)
    entries.push(entry)
    save()
  }
  return {
    add,
    make: async (entry, making) => {
      add(entry)
      const made = making()
      begun.add(made)
      try {
        await made
      } finally {
        begun.delete(made)
      }
    },
    removeAll: async () => {
      removing = true
      await Promise.allSettled(begun)
      await removeRecord(path, entries)
    },
  }
}

/** Removes what labs of this prefix left whose process is gone (by pid and start time); returns how many there were. */
export async function cleanupStale(prefix: string): Promise<number> {
  let removed = 0
  for (const path of listRecords(prefix)) {
    // written by this file only; a half-written record means the lab died before it made anything
    const content = JSON.parse(readFileSync(path, 'utf8')) as RecordContent
    if (await isRunning(content.owner)) continue
    await removeRecord(path, content.entries)
    removed++
  }
  return removed
}

/** The process that made the lab of this prefix, and whether it still runs; null when there is no lab. */
export async function findLab(
  prefix: string,
): Promise<{ readonly owner: ProcessIdentity; readonly running: boolean } | null> {
  const [path] = listRecords(prefix)
  if (path === undefined) return null
  const { owner } = JSON.parse(readFileSync(path, 'utf8')) as RecordContent
  return { owner, running: await isRunning(owner) }
}

function listRecords(prefix: string): string[] {
  let names: string[]
  try {
    names = readdirSync(recordDirectory)
  } catch {
    // no lab has run since boot
    return []
  }
  const pattern = /^(.+)\.\d+\.json$/
  return names.filter((name) => pattern.exec(name)?.[1] === prefix).map((name) => join(recordDirectory, name))
}

async function removeRecord(path: string, entries: readonly LabEntry[]): Promise<void> {
  const failures: unknown[] = []
  // processes first: they hold mounts, interfaces and files
  const ordered = [...entries].reverse().sort((a, b) => Number(b.kind === 'cgroup') - Number(a.kind === 'cgroup'))
  for (const entry of ordered) await removeEntry(entry).catch((error: unknown) => failures.push(error))
  // what could not be removed stays on record for the next try
  if (failures.length > 0) throw new AggregateError(failures, `parts of the lab could not be removed (${path})`)
  rmSync(path, { force: true })
}

async function removeEntry(entry: LabEntry): Promise<void> {
  switch (entry.kind) {
    case 'netns':
      if (existsSync(`/run/netns/${entry.name}`)) await execOk('ip', ['netns', 'delete', entry.name])
      return
    case 'cgroup':
      return removeCgroups(await readCgroupHierarchies(), entry.name)
    case 'mount':
      if (readFileSync('/proc/self/mounts', 'utf8').includes(` ${entry.path} `)) await execOk('umount', [entry.path])
      return
    case 'directory':
      return rm(entry.path, { recursive: true, force: true })
    default:
      assertNever(entry)
  }
}
