// The process itself: start, kill -9, stop; with the embedded store, as an operator runs it.
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { exec, start, type RunningProcess } from '@hyperward/os'
import { enrollHost } from '@hyperward/pki'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent } from './testing/test-agent.ts'
import { callCenter, type Answer } from './testing/test-center.ts'

const main = new URL('main.ts', import.meta.url).pathname
let data: string
let running: RunningProcess | null = null

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'hwc-main-'))
  await chmod(data, 0o711)
})
afterEach(async () => {
  await running?.stop(20_000)
  running = null
  await rm(data, { recursive: true, force: true })
})

async function startCenter(round: number): Promise<string> {
  const logFile = join(data, `out-${round}`)
  running = await start(process.execPath, [main, '--data', join(data, 'c'), '--listen', '127.0.0.1:0'], { logFile })
  const read = async (): Promise<string> =>
    /"ready":true,"url":"([^"]+)"/.exec(await readFile(logFile, 'utf8'))?.[1] ?? ''
  await expect.poll(read, { timeout: 20_000 }).toMatch(/^https/)
  return read()
}

async function call(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const token = (await readFile(join(data, 'c', 'admin-token'), 'utf8')).trim()
  const ca = await readFile(join(data, 'c', 'ca.pem'), 'utf8')
  return callCenter(url, ca, method, path, body, { authorization: `Bearer ${token}` })
}

test('kill -9 of the center in the middle of publishing loses nothing it acknowledged; revisions go on from there', async () => {
  let url = await startCenter(0)
  const made = await call(url, 'POST', '/v1/hosts', { name: 'host-1' })
  const enrolled = await enrollHost(url, made.body.token)
  const agent = await connectAgent(url, enrolled)
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  let acknowledged = 0
  for (let round = 1; round <= 2; round += 1) {
    const publishing = (async () => {
      for (let port = 1; ; port += 1) {
        await call(url, 'PUT', '/v1/policy/draft', samplePolicy(round * 1000 + port))
        acknowledged = (await call(url, 'POST', '/v1/policy/publish', {})).body.revision
      }
    })()
    const ended = expect(publishing).rejects.toThrow()
    const before = acknowledged
    await expect.poll(() => acknowledged, { timeout: 10_000 }).toBeGreaterThan(before + 3)
    running?.signal('SIGKILL')
    await running?.exited
    await ended
    url = await startCenter(round)
    const { revision } = (await call(url, 'GET', '/v1/status')).body
    // the one under way may have been stored and not yet answered
    expect([acknowledged, acknowledged + 1]).toContain(revision)
    acknowledged = revision
    const back = await connectAgent(url, enrolled, { held: agent.held() })
    await expect.poll(() => back.held().revision).toBe(revision)
    await back.close()
  }
}, 60_000)

test('it stops on SIGTERM with its store, within seconds', async () => {
  const url = await startCenter(0)
  expect((await call(url, 'GET', '/v1/status')).body.store.kind).toBe('embedded')
  const postmaster = Number((await readFile(join(data, 'c', 'store', 'data', 'postmaster.pid'), 'utf8')).split('\n')[0])
  const begun = performance.now()
  running?.signal('SIGTERM')
  expect(await running?.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - begun).toBeLessThan(5000)
  await expect(readFile(`/proc/${postmaster}/stat`)).rejects.toThrow()
}, 30_000)

test.each([
  ['no data directory', []],
  ['an unknown argument', ['--data', '/nowhere', '--token', 'x']],
  ['a malformed address', ['--data', '/nowhere', '--listen', 'here']],
])('%s is told with the usage, and nothing starts', async (_what, args) => {
  const result = await exec(process.execPath, [main, ...args])
  expect([result.code, result.stdout]).toEqual([2, ''])
  expect(result.stderr).toContain('center.arguments')
  expect(result.stderr).toContain('usage:')
})
