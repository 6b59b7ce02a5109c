import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { askStatus, serveStatus, type StatusSocket } from './status-socket.ts'

let directory: string
let path: string
let sockets: StatusSocket[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hwa-status-'))
  path = join(directory, 'run/engine.sock')
})
afterEach(async () => {
  for (const socket of sockets) await socket.close()
  sockets = []
  rmSync(directory, { recursive: true })
})

async function serve(state: unknown): Promise<void> {
  sockets.push(await serveStatus(path, () => state))
}

test('who asks is told the state of this moment as one line of JSON', async () => {
  const state = { round: 1, text: 'é'.repeat(100_000) }
  await serve(state)
  expect(await askStatus(path)).toEqual({ known: true, value: `${JSON.stringify(state)}\n` })
  state.round = 2
  const answers = await Promise.all(Array.from({ length: 20 }, () => askStatus(path)))
  for (const answer of answers) expect(answer).toEqual({ known: true, value: `${JSON.stringify(state)}\n` })
})

test('only its owner may ask', async () => {
  await serve({})
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(directory, 'run')).mode & 0o007).toBe(0)
})

test('a second engine is refused while the first answers, and the first goes on', async () => {
  await serve({ first: true })
  await expect(serveStatus(path, () => ({}))).rejects.toMatchObject({ code: 'engine.already-running' })
  expect(await askStatus(path)).toEqual({ known: true, value: '{"first":true}\n' })
})

test('what a killed engine left is no hindrance', async () => {
  await serve({})
  await sockets.pop()?.close()
  writeFileSync(path, '')
  chmodSync(path, 0o600)
  await serve({ second: true })
  expect(await askStatus(path)).toMatchObject({ known: true })
})

test('no engine, and one that does not answer, are unknown, in time', async () => {
  expect(await askStatus(path)).toMatchObject({ known: false, reason: expect.stringContaining('ENOENT') })
  const mute = createServer(() => undefined)
  const mutePath = join(directory, 'mute.sock')
  await new Promise<void>((resolve) => mute.listen(mutePath, resolve))
  const begun = performance.now()
  expect(await askStatus(mutePath, 100)).toEqual({ known: false, reason: 'no answer' })
  expect(performance.now() - begun).toBeLessThan(1500)
  mute.close()
})
