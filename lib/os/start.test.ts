import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, expect, test } from 'vitest'

import { isRunning, readProcessIdentity, stopProcess } from './process-identity.ts'
import { start } from './start.ts'

const directory = mkdtempSync(join(tmpdir(), 'hwt-os-'))
afterAll(() => rmSync(directory, { recursive: true }))

test('output goes to the log file and the exit is told', async () => {
  const logFile = join(directory, 'log')
  const child = await start('sh', ['-c', 'echo out; echo err >&2; exit 7'], { logFile })
  expect(await child.exited).toEqual({ code: 7, signal: null })
  expect(readFileSync(logFile, 'utf8')).toBe('out\nerr\n')
})

test('stop ends a process that ignores SIGTERM, after the grace', async () => {
  const child = await start('sh', ['-c', 'trap "" TERM; while :; do sleep 0.1; done'])
  await sleep(100)
  expect(await child.stop(200)).toEqual({ code: null, signal: 'SIGKILL' })
  expect(await readProcessIdentity(child.pid)).toBeNull()
})

test('a process is known by pid and start time, so a reused pid is left alone', async () => {
  const child = await start('sleep', ['30'])
  try {
    expect(await isRunning(child)).toBe(true)
    const stranger = { pid: child.pid, startTime: '1' }
    expect(await isRunning(stranger)).toBe(false)
    await stopProcess(stranger)
    expect(await isRunning(child)).toBe(true)
    await stopProcess(child)
    expect(await isRunning(child)).toBe(false)
  } finally {
    await child.stop()
  }
})

test('a missing program is a coded failure', async () => {
  await expect(start('/nonexistent/program', [])).rejects.toMatchObject({ code: 'os.exec-failed' })
})
