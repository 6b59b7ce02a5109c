/**
 * One center per store directory. The owner is named by pid and start time, so a killed owner's file, or a reused pid, never keeps anyone out.
 * Two that start in the same moment are told apart by an exclusive create.
 */
import { open, rm } from 'node:fs/promises'

import { OperationError } from '@hyperward/model'
import { errnoCode, isRunning, readFileIfExists, readProcessIdentity } from '@hyperward/os'

export interface OwnerLock {
  release(): Promise<void>
}

export async function takeOwnership(path: string): Promise<OwnerLock> {
  const self = await readProcessIdentity(process.pid)
  if (self === null) throw new Error('this process has no entry in /proc')
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = await open(path, 'wx', 0o600)
      try {
        await file.writeFile(JSON.stringify({ pid: self.pid, startTime: self.startTime }))
        await file.sync()
      } finally {
        await file.close()
      }
      return { release: () => rm(path, { force: true }) }
    } catch (error) {
      if (errnoCode(error) === 'ENOSPC') {
        throw new OperationError('store.no-space', `no space left to write ${path}; free some and start again`, {
          path,
        })
      }
      if (errnoCode(error) !== 'EEXIST') throw error
    }
    const owner = await readOwner(path)
    if (owner !== null && (await isRunning(owner))) {
      const message = `${path} says that process ${owner.pid} uses this store; stop it first`
      throw new OperationError('store.in-use', message, { path, pid: owner.pid })
    }
    await rm(path, { force: true })
  }
  throw new OperationError('store.in-use', `another center takes ${path} at this moment`, { path })
}

async function readOwner(path: string): Promise<{ readonly pid: number; readonly startTime: string } | null> {
  const text = await readFileIfExists(path)
  if (!text.known) throw new OperationError('store.directory-unusable', text.reason, { path })
  try {
    const value: unknown = JSON.parse(text.value ?? 'null')
    if (typeof value !== 'object' || value === null) return null
    const { pid, startTime } = value as Record<string, unknown>
    return typeof pid === 'number' && typeof startTime === 'string' ? { pid, startTime } : null
  } catch {
    // cut off by a crash while it was written: its writer is gone
    return null
  }
}
