/** Tells the engine's state as JSON to whoever connects to its unix socket (its directory decides who may), and keeps a second engine from starting. */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { dirname } from 'node:path'

import { known, OperationError, unknown, type Observed } from '@hyperward/model'

export interface StatusSocket {
  close(): Promise<void>
}

/** Fails with `engine.already-running` when another engine answers there. */
export async function serveStatus(path: string, readState: () => unknown): Promise<StatusSocket> {
  await mkdir(dirname(path), { recursive: true, mode: 0o750 })
  if ((await askStatus(path)).known) {
    throw new OperationError('engine.already-running', `another access engine answers at ${path}; stop it first`, {
      path,
    })
  }
  // nobody answers: what is there was left by an engine that was killed
  await rm(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(`${JSON.stringify(readState())}\n`)
  })
  await listen(server, path)
  await chmod(path, 0o600)
  return {
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** The running engine's answer; unknown when none runs or it does not answer in time. */
export async function askStatus(path: string, timeoutMs = 2000): Promise<Observed<string>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(path)
    const fail = (reason: string): void => {
      socket.destroy()
      resolve(unknown(reason))
    }
    socket.setTimeout(timeoutMs, () => fail('no answer'))
    socket.on('error', (error) => fail(error.message))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => resolve(known(Buffer.concat(chunks).toString('utf8'))))
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
}
