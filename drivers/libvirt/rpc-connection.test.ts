import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import * as fc from 'fast-check'
import { afterAll, afterEach, expect, test } from 'vitest'

import { createLibvirtConnection } from './libvirt-connection.ts'

const directory = mkdtempSync(join(tmpdir(), 'hwt-lv-'))
const path = join(directory, 's')
const recorded = Buffer.from(
  readFileSync(join(import.meta.dirname, 'protocol/recorded.hex'), 'utf8').replaceAll('\n', ''),
  'hex',
)
let server: Server | null = null
afterEach(() => new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve()))))
afterAll(() => rmSync(directory, { recursive: true }))

/** Something on the socket that is not libvirt. */
async function serve(onConnection: (socket: Socket) => void): Promise<void> {
  const next = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    // read, so that its end is seen
    socket.resume()
    onConnection(socket)
  })
  server = next
  await new Promise<void>((resolve) => next.listen(path, resolve))
}

test('no socket is told as unreachable', async () => {
  await expect(createLibvirtConnection({ path: join(directory, 'absent') })).rejects.toMatchObject({
    code: 'libvirt.unreachable',
  })
})

test('silence is told as unresponsive, within the time of a call', async () => {
  await serve((socket) => socket.resume())
  const began = performance.now()
  await expect(createLibvirtConnection({ path, callTimeoutMs: 200 })).rejects.toMatchObject({
    code: 'libvirt.unresponsive',
  })
  expect(performance.now() - began).toBeLessThan(2000)
})

test('a server that ends the connection fails the call that waits', async () => {
  await serve((socket) => socket.once('data', () => socket.destroy()))
  await expect(createLibvirtConnection({ path })).rejects.toMatchObject({ code: 'libvirt.closed' })
})

test('another protocol is told as malformed', async () => {
  await serve((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expect(createLibvirtConnection({ path })).rejects.toMatchObject({ code: 'libvirt.malformed' })
})

test('whatever a server sends, opening ends with a coded error and the connection ends once', async () => {
  const damage = fc.record({ at: fc.nat({ max: recorded.length - 1 }), with: fc.integer({ min: 1, max: 255 }) })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // a real session with damaged bytes, cut short
    fc
      .tuple(fc.array(damage, { minLength: 1, maxLength: 8 }), fc.nat({ max: recorded.length }))
      .map(([damages, length]) => {
        const copy = Buffer.from(recorded)
        for (const one of damages) copy[one.at] = (copy[one.at] ?? 0) ^ one.with
        return copy.subarray(0, length)
      }),
  )
  let answer: Uint8Array = recorded
  await serve((socket) => socket.once('data', () => socket.end(answer)))
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      answer = sent
      let closes = 0
      const options = { path, callTimeoutMs: 1000, onClose: () => closes++ }
      try {
        const connection = await createLibvirtConnection(options)
        await connection.listDomains()
        await connection.close()
      } catch (error) {
        expect(error).toBeInstanceOf(OperationError)
        expect(String(error instanceof OperationError && error.code)).toMatch(/^libvirt\./)
      }
      expect(closes).toBe(1)
    }),
    { numRuns: 200 },
  )
})
