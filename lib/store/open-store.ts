/** Opens the one store: the private server of a directory, or a PostgreSQL by URL; the schema is brought up to date in both. */
import type { PoolConfig } from 'pg'

import { openEmbedded, type EmbeddedServer } from './embedded/open-embedded.ts'
import type { PostgresBinaries } from './embedded/postgres-binaries.ts'
import { migrate } from './migrate.ts'
import { takeSoleUse } from './sole-user.ts'
import { createConnection, type Store } from './store.ts'

export type StoreOptions = StoreSource & {
  /** What an operator should know: a server started again, an upgrade. Default: nobody is told. */
  readonly onNotice?: (text: string) => void
  readonly migrations?: string
  /** Waits at most so long for another center to let the database go, then `store.in-use`; without it others may use it too. */
  readonly soleUseMs?: number
}

type StoreSource =
  | { readonly kind: 'embedded'; readonly dir: string; readonly binaries?: readonly PostgresBinaries[] }
  | { readonly kind: 'url'; readonly url: string }

/** `serverPid`: of the embedded server, for those who watch it. */
export interface OpenedStore extends Store {
  readonly serverPid: () => number | null
}

export async function openStore(options: StoreOptions): Promise<OpenedStore> {
  const onNotice = options.onNotice ?? (() => undefined)
  const server: EmbeddedServer | null =
    options.kind === 'embedded'
      ? await openEmbedded({
          dir: options.dir,
          onNotice,
          ...(options.binaries === undefined ? {} : { binaries: options.binaries }),
        })
      : null
  const config: PoolConfig = options.kind === 'url' ? { connectionString: options.url } : { ...server?.connection }
  const connection = createConnection(config)
  try {
    const schema = await migrate(connection, options.migrations)
    const sole = options.soleUseMs === undefined ? null : await takeSoleUse(config, onNotice, options.soleUseMs)
    const [version] = await connection.query<{ version: string }>(`select current_setting('server_version') as version`)
    return {
      kind: options.kind,
      serverVersion: version?.version ?? '',
      schema,
      query: (text, values) => connection.query(text, values),
      transaction: (work) => connection.transaction(work),
      serverPid: () => server?.pid() ?? null,
      async close() {
        await sole?.end()
        await connection.pool.end()
        await server?.stop()
      },
    }
  } catch (error) {
    await connection.pool.end()
    await server?.stop()
    throw error
  }
}
