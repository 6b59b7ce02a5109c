/**
 * Runs one PostgreSQL server on a data directory and keeps it running: a server that dies (killed, out of memory) is started again and recovers from its
 * write-ahead log. One that a killed center left behind is stopped first; `--pdeathsig` has usually done so already.
 */
import { readFile, readlink, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { OperationError } from '@hyperward/model'
import { readProcessIdentity, signalProcess, isRunning, start, type RunningProcess } from '@hyperward/os'
import { Client } from 'pg'

import { databaseRole } from './initialize-data.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { toServerCommand, type ServerUser } from './server-user.ts'
import type { StoreDirectory } from './store-directory.ts'

export interface RunningServer {
  /** Of the postmaster running now. */
  readonly pid: () => number
  readonly stop: () => Promise<void>
}

export interface RunServerOptions {
  readonly binaries: PostgresBinaries
  readonly user: ServerUser
  readonly directory: StoreDirectory
  readonly data: string
  /** Told when the server died and is started again. */
  readonly onRestart: (reason: string) => void
  /** Crash recovery of a large log takes its time. */
  readonly startTimeoutMs?: number
}

const settings = [
  'listen_addresses=',
  'unix_socket_permissions=0700',
  'max_connections=40',
  'shared_buffers=64MB',
  'fsync=on',
  'full_page_writes=on',
  'synchronous_commit=on',
  'restart_after_crash=on',
  'logging_collector=on',
  'log_filename=postgres-%a.log',
  'log_truncate_on_rotation=on',
  'log_rotation_age=1d',
  'log_rotation_size=0',
  // rows hold hashes of secrets, tenants' addresses: the server's log gets neither statements nor their values
  'log_min_error_statement=panic',
  'log_error_verbosity=terse',
]

export async function runServer(options: RunServerOptions): Promise<RunningServer> {
  await stopLeftover(options.data)
  const state = { current: await startOnce(options), stopping: false }
  const watching = keepRunning(state, options)
  return {
    pid: () => state.current.pid,
    stop: async () => {
      state.stopping = true
      state.current.signal('SIGINT')
      const timer = setTimeout(() => state.current.signal('SIGQUIT'), 30_000)
      // a server that is being started again at this moment is stopped by the watcher itself
      await watching
      clearTimeout(timer)
    },
  }
}

/** Resolves when the server has ended and is not wanted any more; never rejects. */
async function keepRunning(
  state: { current: RunningProcess; readonly stopping: boolean },
  options: RunServerOptions,
): Promise<void> {
  for (;;) {
    const status = await state.current.exited
    if (state.stopping) return
    options.onRestart(`the store's server ended (${status.signal ?? `code ${status.code}`}) and is started again`)
    const next = await startAgain(state, options)
    if (next === null) return
    state.current = next
    if (state.stopping) next.signal('SIGINT')
  }
}

/** Tries until it runs; null when it is not wanted any more. */
async function startAgain(
  state: { readonly stopping: boolean },
  options: RunServerOptions,
): Promise<RunningProcess | null> {
  for (let delayMs = 200; ; delayMs = Math.min(delayMs * 2, 10_000)) {
    await sleep(delayMs)
    if (state.stopping) return null
    try {
      return await startOnce(options)
    } catch (error) {
      options.onRestart(error instanceof Error ? error.message : String(error))
    }
  }
}

async function startOnce(options: RunServerOptions): Promise<RunningProcess> {
  const { directory, data, user, binaries } = options
  await rm(directory.startLog, { force: true })
  const flags = [...settings, `unix_socket_directories=${directory.run}`, `log_directory=${directory.log}`]
  const args = ['-D', data, ...flags.flatMap((setting) => ['-c', setting])]
  const command = toServerCommand(user, join(binaries.directory, 'postgres'), args, true)
  const deadline = performance.now() + (options.startTimeoutMs ?? 300_000)
  // backends of a killed server hold its shared memory for a moment: the server refuses to start until they are gone
  for (;;) {
    const process = await start(command.file, command.args, { cwd: directory.root, logFile: directory.startLog })
    if (await becomesReady(process, directory, deadline)) return process
    process.signal('SIGQUIT')
    await process.exited
    const said = await readTail(directory)
    if (performance.now() < deadline && /lock file .* already exists|pre-existing shared memory/.test(said)) {
      await sleep(250)
      continue
    }
    const full = /No space left on device|Disk quota exceeded/i.test(said)
    const message = `the embedded store did not start: ${said}`
    throw new OperationError(full ? 'store.no-space' : 'store.start-failed', message, { data })
  }
}

async function becomesReady(process: RunningProcess, directory: StoreDirectory, deadline: number): Promise<boolean> {
  const life = { ended: false }
  process.exited.finally(() => (life.ended = true)).catch(() => undefined)
  while (!life.ended && performance.now() < deadline) {
    const client = new Client({ host: directory.run, user: databaseRole, database: 'postgres' })
    // a client whose server goes away also emits the error; it is told by connect() already
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return true
    } catch {
      // no socket yet, or still recovering: the reason is told by the log if the server ends
      await sleep(30)
    }
  }
  return false
}

async function stopLeftover(data: string): Promise<void> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number(text.split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 1) return
  const identity = await readProcessIdentity(pid)
  if (identity === null) return
  // a postmaster's working directory is its data directory: any other process has reused the pid, and the server handles that itself
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
  if (cwd !== (await realpath(data))) return
  await signalProcess(identity, 'SIGINT')
  for (let waitedMs = 0; await isRunning(identity); waitedMs += 50) {
    if (waitedMs === 20_000) await signalProcess(identity, 'SIGQUIT')
    if (waitedMs > 30_000) {
      throw new OperationError('store.start-failed', `a former server (process ${pid}) does not end`, { pid })
    }
    await sleep(50)
  }
}

async function readTail(directory: StoreDirectory): Promise<string> {
  const texts = await Promise.all(
    [directory.startLog, join(directory.log, todaysLog())].map((path) => readFile(path, 'utf8').catch(() => '')),
  )
  return texts.join('\n').trim().slice(-1500) || 'it said nothing'
}

function todaysLog(): string {
  return `postgres-${['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][new Date().getDay()]}.log`
}
