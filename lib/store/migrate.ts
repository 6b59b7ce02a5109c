/**
 * Brings the schema to this software's: numbered files of `migrations/`, each once, all in one transaction under a lock that other centers wait for.
 * A store made by newer software, or by files that differ, is refused untouched.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'

import type { Queries, StoreConnection } from './store.ts'

interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
  readonly sha256: string
}

export const migrationsDirectory = join(import.meta.dirname, 'migrations')
const lockKey = 4_905_977_318

/** Returns the schema's number. */
export async function migrate(connection: StoreConnection, directory = migrationsDirectory): Promise<number> {
  const migrations = await readMigrations(directory)
  return connection.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1)', [lockKey])
    await tx.query(`create table if not exists schema_migration (
      number integer primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now())`)
    const applied = await tx.query<{ number: number; name: string; sha256: string }>(
      'select number, name, sha256 from schema_migration order by number',
    )
    for (const row of applied) refuseForeign(row, migrations)
    for (const migration of migrations.slice(applied.length)) await apply(tx, migration)
    return migrations.length
  })
}

async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(name.slice(0, 4))
      if (number !== index + 1) throw new Error(`migration ${name} is not number ${index + 1}`)
      const text = await readFile(join(directory, name), 'utf8')
      return { number, name, text, sha256: sha256Hex(text) }
    }),
  )
}

function refuseForeign(row: { number: number; name: string; sha256: string }, migrations: readonly Migration[]): void {
  const ours = migrations[row.number - 1]
  if (ours === undefined) {
    const message = `the store's schema is ${row.number} (${row.name}), this software knows up to ${migrations.length}; start the newer software`
    throw new OperationError('store.schema-newer', message, { schema: row.number, known: migrations.length })
  }
  if (ours.sha256 === row.sha256) return
  const message = `migration ${row.name} of the store is not the one of this software; nothing was changed`
  throw new OperationError('store.migration-changed', message, { migration: row.name })
}

async function apply(tx: Queries, migration: Migration): Promise<void> {
  try {
    await tx.query(migration.text)
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    const message = `migration ${migration.name} failed and was rolled back: ${said}`
    throw new OperationError('store.migration-failed', message, { migration: migration.name }, cause)
  }
  await tx.query('insert into schema_migration (number, name, sha256) values ($1, $2, $3)', [
    migration.number,
    migration.name,
    migration.sha256,
  ])
}
