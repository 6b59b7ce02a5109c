/** The store as the rest sees it: statements with parameters, and transactions. Statements live in `queries/`, nowhere else. */
import { Pool, types, type PoolConfig } from 'pg'

import { toStoreError } from './store-error.ts'

/** Runs statements: the store itself (each its own transaction), or one transaction. */
export interface Queries {
  /** `Row` is the caller's word for what the statement selects: its columns stand beside it in `queries/`. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

export interface Store extends Queries {
  readonly kind: 'embedded' | 'url'
  readonly serverVersion: string
  readonly schema: number
  /** All or nothing. A failure of the work or of the commit is the caller's; nothing of it is stored then. */
  transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T>
  /** Stops the embedded server too. */
  close(): Promise<void>
}

export interface StoreConnection extends Pick<Store, 'query' | 'transaction'> {
  readonly pool: Pool
}

/** Failures become `store.no-space` and `store.unavailable` (`OperationError`) where they are those. */
export function createConnection(config: PoolConfig): StoreConnection {
  const pool = new Pool({ max: 10, connectionTimeoutMillis: 10_000, ...config, types: { getTypeParser } })
  // an idle connection that breaks is replaced at the next query; without a listener it would end the process
  pool.on('error', () => undefined)
  return {
    pool,
    async query<Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
      try {
        return (await pool.query(text, [...values])).rows
      } catch (error) {
        throw toStoreError(error)
      }
    },
    async transaction(work) {
      const client = await pool.connect().catch((error: unknown) => {
        throw toStoreError(error)
      })
      let broken = false
      const lose = (): void => {
        broken = true
      }
      client.on('error', lose)
      try {
        await client.query('begin')
        const result = await work({
          query: async (text, values = []) => (await client.query(text, [...values])).rows,
        })
        await client.query('commit')
        return result
      } catch (error) {
        // a rollback that fails means the connection is gone, and with it the transaction
        await client.query('rollback').catch(lose)
        throw toStoreError(error)
      } finally {
        client.off('error', lose)
        client.release(broken)
      }
    },
  }
}

/** bigint (20) as a number: our counters stay below 2^53, and a larger one must not pass silently. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid !== 20) return types.getTypeParser(oid, format ?? 'text')
  return (value: string) => {
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw new Error(`a bigint of the store is beyond 2^53: ${value}`)
    return number
  }
}
