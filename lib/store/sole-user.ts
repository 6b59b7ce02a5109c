/**
 * One center per database: a session lock that ends with its connection, however that ends. A killed center's session lasts a moment longer than it,
 * so the next one waits a little. A lock lost with its connection is taken again; if another center took it meanwhile, that is told.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { OperationError } from '@hyperward/model'
import { Client, type ClientConfig } from 'pg'

import { toStoreError } from './store-error.ts'

const lockKey = 4_905_977_319
const retryMs = 500

export interface SoleUse {
  end(): Promise<void>
}

export async function takeSoleUse(
  config: ClientConfig,
  onNotice: (text: string) => void,
  patienceMs: number,
): Promise<SoleUse> {
  const state: { client: Client | null; ended: boolean } = { client: null, ended: false }
  const take = async (): Promise<boolean> => {
    const client = new Client(config)
    client.on('error', () => {
      if (state.ended || state.client !== client) return
      state.client = null
      void retake()
    })
    await client.connect()
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [lockKey])
    if (rows[0]?.taken === true) {
      state.client = client
      return true
    }
    await client.end()
    return false
  }
  const retake = async (): Promise<void> => {
    for (let told = false; !state.ended;) {
      await sleep(retryMs)
      // a store that is away is told by its statements
      const taken = await take().catch(() => null)
      if (taken === true) return
      if (taken === false && !told) onNotice('another center has taken this store: stop one of the two')
      told ||= taken === false
    }
  }

  for (const end = performance.now() + patienceMs; ;) {
    const taken = await take().catch((error: unknown) => {
      throw toStoreError(error)
    })
    if (taken) break
    if (performance.now() > end) {
      throw new OperationError('store.in-use', 'another center works on this database; stop it first')
    }
    await sleep(retryMs)
  }
  return {
    async end() {
      state.ended = true
      await state.client?.end()
    },
  }
}
