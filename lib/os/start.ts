import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

import { OperationError } from '@hyperward/model'

import { notStarted } from './exec.ts'
import { readProcessIdentity, type ProcessIdentity } from './process-identity.ts'
import { errnoCode } from './read-file-if-exists.ts'
import { toSpawnCommand, type SpawnOptions } from './spawn-command.ts'

export interface StartOptions extends SpawnOptions {
  /** stdout and stderr are appended here; without it they are discarded. */
  readonly logFile?: string
  /** Let this process end while the child runs on; default false. */
  readonly unref?: boolean
}

export interface ExitStatus {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningProcess extends ProcessIdentity {
  /** Resolves when the process has ended, however it ended; never rejects. */
  readonly exited: Promise<ExitStatus>
  /** Signals the process and what it started (its process group). Nothing happens once it has ended. */
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL after `graceMs` (default 5,000); resolves when it has ended. */
  stop(graceMs?: number): Promise<ExitStatus>
}

/** Starts a long-running child in its own process group. Fails with `os.exec-failed` if it could not be started. */
export async function start(
  file: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<RunningProcess> {
  const command = toSpawnCommand(file, args, options)
  const log = options.logFile === undefined ? null : openLog(options.logFile)
  try {
    const child = spawn(command.file, command.args, {
      env: command.env,
      cwd: command.cwd,
      detached: true,
      stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'],
    })
    const exited = new Promise<ExitStatus>((resolve) => {
      child.on('exit', (code, signal) => resolve({ code, signal }))
    })
    let ended = false
    void exited.then(() => (ended = true))
    const pid = await new Promise<number>((resolve, reject) => {
      child.on('spawn', () => (child.pid === undefined ? reject(new Error('no pid')) : resolve(child.pid)))
      child.on('error', reject)
    })
    if (options.unref === true) child.unref()
    // a child that ended within this moment has no start time any more: '' matches no process
    const startTime = (await readProcessIdentity(pid))?.startTime ?? ''
    const signal = (name: NodeJS.Signals): void => {
      if (ended) return
      try {
        process.kill(-pid, name)
      } catch (error) {
        if (errnoCode(error) !== 'ESRCH') throw error
      }
    }
    const stop = async (graceMs = 5000): Promise<ExitStatus> => {
      signal('SIGTERM')
      const timer = setTimeout(() => signal('SIGKILL'), graceMs)
      try {
        return await exited
      } finally {
        clearTimeout(timer)
      }
    }
    return { pid, startTime, exited, signal, stop }
  } catch (error) {
    throw error instanceof OperationError ? error : notStarted(file, error)
  } finally {
    if (log !== null) closeSync(log)
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o640)
  } catch (cause) {
    throw new OperationError('os.file-unwritable', `log file ${path} could not be opened`, { path }, cause)
  }
}
