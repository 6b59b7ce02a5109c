import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { readFileIfExists } from '@hyperward/os'
import { Client } from 'pg'

import { adoptData, databaseRole, initializeData } from './initialize-data.ts'
import { takeOwnership } from './owner-lock.ts'
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts'
import { runServer } from './run-server.ts'
import { findServerUser, type ServerUser } from './server-user.ts'
import { prepareStoreDirectory, type StoreDirectory } from './store-directory.ts'
import { finishUpgrade, upgradeData } from './upgrade-data.ts'

export interface EmbeddedServer {
  /** For `pg`: socket directory, role, database. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string }
  readonly pid: () => number
  readonly stop: () => Promise<void>
}

export interface EmbeddedOptions {
  readonly dir: string
  readonly onNotice: (text: string) => void
  /** Default: those installed. */
  readonly binaries?: readonly PostgresBinaries[]
}

export const databaseName = 'hyperward'

/** The private server of this directory: made at first, upgraded where needed, recovered after a crash. It ends with {@link EmbeddedServer.stop} or with us. */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const installed = options.binaries ?? (await findPostgresBinaries())
  const user = await findServerUser()
  const directory = await prepareStoreDirectory(options.dir, user)
  const lock = await takeOwnership(directory.owner)
  try {
    const binaries = await prepareData(installed, user, directory, options)
    const server = await runServer({ binaries, user, directory, data: directory.data, onRestart: options.onNotice })
    try {
      await createDatabase(directory)
    } catch (error) {
      await server.stop()
      throw error
    }
    return {
      connection: { host: directory.run, user: databaseRole, database: databaseName },
      pid: server.pid,
      stop: async () => {
        await server.stop()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function prepareData(
  installed: readonly PostgresBinaries[],
  user: ServerUser,
  directory: StoreDirectory,
  options: EmbeddedOptions,
): Promise<PostgresBinaries> {
  const [newest] = installed
  if (newest === undefined) throw new OperationError('store.binaries-missing', 'no PostgreSQL server was given')
  await finishUpgrade(directory)
  const major = await readMajor(directory)
  if (major === null) {
    await refuseLostData(directory)
    await initializeData(newest, user, directory, directory.newData)
    await adoptData(directory.newData, directory.data, directory.root)
    return newest
  }
  if (major === newest.major) return newest
  const present = installed.find((candidate) => candidate.major === major)
  if (present === undefined || major > newest.major) {
    const message = `the store in ${directory.data} was written by PostgreSQL ${major}, which is not installed (installed: ${installed.map((each) => each.major).join(', ')}); install the package postgresql-${major} and start again; the data is untouched`
    throw new OperationError('store.major-mismatch', message, { data: directory.data, major, newest: newest.major })
  }
  await upgradeData({ from: present, to: newest, user, directory, onNotice: options.onNotice })
  return newest
}

async function readMajor(directory: StoreDirectory): Promise<number | null> {
  const text = await readFileIfExists(join(directory.data, 'PG_VERSION'))
  if (!text.known) throw new OperationError('store.directory-unusable', text.reason, { path: directory.data })
  if (text.value === null) return null
  const major = Number(text.value.trim())
  if (Number.isInteger(major)) return major
  throw new OperationError('store.directory-unusable', `${directory.data}/PG_VERSION is not a version`, {
    path: directory.data,
  })
}

/** A store that was there and is not any more is never replaced by an empty one without a word. */
async function refuseLostData(directory: StoreDirectory): Promise<void> {
  const left = (await readdir(directory.root)).filter((name) => name === 'data' || /^data\.\d+$/.test(name))
  if (left.length === 0) return
  const message = `${directory.data} holds no database, but ${left.join(', ')} in ${directory.root} says that there was one; restore it or remove what is left`
  throw new OperationError('store.directory-unusable', message, { path: directory.data })
}

async function createDatabase(directory: StoreDirectory): Promise<void> {
  const client = new Client({ host: directory.run, user: databaseRole, database: 'postgres' })
  await client.connect()
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [databaseName])
    if (found.rows.length === 0) await client.query(`create database ${databaseName}`)
  } finally {
    await client.end()
  }
}
