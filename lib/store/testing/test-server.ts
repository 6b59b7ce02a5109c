/** One real server for a test file, and a fresh database for each test: made from a template in some 30 ms, dropped with the server. */
import { mkdtemp, rm, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Client } from 'pg'

import { openEmbedded } from '../embedded/open-embedded.ts'

export interface TestServer {
  /** A new, empty database's URL. */
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

export async function startTestServer(): Promise<TestServer> {
  const root = await mkdtemp(join(tmpdir(), 'hwc-store-'))
  await chmod(root, 0o711)
  const server = await openEmbedded({ dir: join(root, 's'), onNotice: () => undefined })
  const { host, user } = server.connection
  let count = 0
  return {
    async createDatabase() {
      count += 1
      const database = `test_${count}`
      const client = new Client({ host, user, database: 'postgres' })
      await client.connect()
      try {
        await client.query(`create database ${database}`)
      } finally {
        await client.end()
      }
      return `postgres://${user}@${encodeURIComponent(host)}/${database}`
    },
    async stop() {
      await server.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}
