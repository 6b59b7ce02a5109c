/**
 * What one run owns: a folder under /run and every network namespace of the bench's prefix. One run at a time; what a run that was killed left behind
 * is removed by the next.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { isRunning, readProcessIdentity, type ProcessIdentity } from '@hyperward/os'

import { removeLeftovers } from './lab.ts'

export const workspaceFolder = '/run/hwb'
const ownerPath = join(workspaceFolder, 'owner.json')

/** Returns what removes everything again. Throws when another run is under way. */
export async function claimWorkspace(): Promise<() => Promise<void>> {
  const owner = await readOwner()
  if (owner !== null && (await isRunning(owner))) {
    throw new Error(`another datapath benchmark is running (process ${owner.pid}); two would disturb each other`)
  }
  await clear()
  await mkdir(workspaceFolder, { recursive: true, mode: 0o700 })
  await writeFile(ownerPath, JSON.stringify(await readProcessIdentity(process.pid)))
  return clear
}

async function clear(): Promise<void> {
  await removeLeftovers()
  await rm(workspaceFolder, { recursive: true, force: true })
}

async function readOwner(): Promise<ProcessIdentity | null> {
  try {
    // as: written by claimWorkspace
    return JSON.parse(await readFile(ownerPath, 'utf8')) as ProcessIdentity | null
  } catch {
    // absent, or cut short by a crash: nobody holds it
    return null
  }
}
