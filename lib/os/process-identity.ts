/**
 * A process named so that a reused pid is never mistaken for it: pid and start time (proc(5), stat field 22, in clock ticks).
 * For processes that are not our children any more, such as those of a run that was killed.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ProcessIdentity {
  readonly pid: number
  readonly startTime: string
}

/** null when there is no such process (a zombie counts as none). */
export async function readProcessIdentity(pid: number): Promise<ProcessIdentity | null> {
  let stat: string
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  } catch {
    // absent (ENOENT) or gone while reading (ESRCH): procfs has no other failure for root
    return null
  }
  // the command name, in parentheses, may hold spaces and parentheses: fields count from after the last one
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  const startTime = fields[19]
  return startTime === undefined || state === 'Z' || state === 'X' ? null : { pid, startTime }
}

export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await readProcessIdentity(identity.pid)
  return now !== null && now.startTime === identity.startTime
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. A pid that now belongs to another process is left alone. */
export async function stopProcess(identity: ProcessIdentity, graceMs = 5000): Promise<void> {
  await signalProcess(identity, 'SIGTERM')
  if (await waitGone(identity, graceMs)) return
  await signalProcess(identity, 'SIGKILL')
  await waitGone(identity, 5000)
}

/** false when the process is gone already. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isRunning(identity))) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch {
    // ESRCH: ended between the look and the signal
    return false
  }
}

async function waitGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs
  for (;;) {
    if (!(await isRunning(identity))) return true
    if (performance.now() >= end) return false
    await sleep(20)
  }
}
