import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { migrationsDirectory } from './migrate.ts'
import { openStore } from './open-store.ts'
import {
  addPublication,
  deleteUnusedSections,
  readLatestPlans,
  readPlanChunks,
  readPlanSections,
} from './queries/policy.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

let server: TestServer
let directory: string

beforeAll(async () => {
  server = await startTestServer()
  directory = await mkdtemp(join(tmpdir(), 'hwc-migrations-'))
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true })
}, 60_000)

async function copyMigrations(name: string, changes: Readonly<Record<string, string>>): Promise<string> {
  const copy = join(directory, name)
  await cp(migrationsDirectory, copy, { recursive: true })
  for (const [file, text] of Object.entries(changes)) await writeFile(join(copy, file), text)
  return copy
}

async function nextFile(): Promise<string> {
  const count = (await readdir(migrationsDirectory)).length
  return `${String(count + 1).padStart(4, '0')}-next.sql`
}

test('several centers that start at once on an empty store agree on one schema', async () => {
  const url = await server.createDatabase()
  const stores = await Promise.all([1, 2, 3, 4].map(() => openStore({ kind: 'url', url })))
  const schemas = stores.map((store) => store.schema)
  expect(new Set(schemas).size).toBe(1)
  expect(await stores[0]?.query('select count(*) from schema_migration')).toEqual([{ count: schemas[0] }])
  await Promise.all(stores.map((store) => store.close()))
})

test('a store of newer software is refused untouched', async () => {
  const url = await server.createDatabase()
  const newer = await copyMigrations('newer', { [await nextFile()]: 'create table later (id integer)' })
  await (await openStore({ kind: 'url', url, migrations: newer })).close()
  await expect(openStore({ kind: 'url', url })).rejects.toMatchObject({ code: 'store.schema-newer' })
  await (await openStore({ kind: 'url', url, migrations: newer })).close()
})

test('a migration that differs from the one applied is refused', async () => {
  const url = await server.createDatabase()
  await (await openStore({ kind: 'url', url })).close()
  const edited = await copyMigrations('edited', { '0001-initial.sql': 'select 1' })
  await expect(openStore({ kind: 'url', url, migrations: edited })).rejects.toMatchObject({
    code: 'store.migration-changed',
  })
})

test('a migration that fails leaves the store as it was', async () => {
  const url = await server.createDatabase()
  await (await openStore({ kind: 'url', url })).close()
  const text = 'create table half (id integer); select no_such_function();'
  const failing = await copyMigrations('failing', { [await nextFile()]: text })
  await expect(openStore({ kind: 'url', url, migrations: failing })).rejects.toMatchObject({
    code: 'store.migration-failed',
  })
  const store = await openStore({ kind: 'url', url })
  expect(await store.query(`select to_regclass('half') as half`)).toEqual([{ half: null }])
  await store.close()
})

test('a server that is not there is told as such', async () => {
  const url = 'postgres://nobody@127.0.0.1:1/none'
  await expect(openStore({ kind: 'url', url })).rejects.toMatchObject({ code: 'store.unavailable' })
})

test('a second center on one database is refused, and takes it when the first is gone', async () => {
  const url = await server.createDatabase()
  const first = await openStore({ kind: 'url', url, soleUseMs: 0 })
  await expect(openStore({ kind: 'url', url, soleUseMs: 0 })).rejects.toMatchObject({ code: 'store.in-use' })
  // the lock's own connection is cut: it is taken again
  await first.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
       and database = (select oid from pg_database where datname = current_database())`,
  )
  await expect
    .poll(
      () =>
        first.query(`select count(*) as count from pg_locks where locktype = 'advisory' and granted
       and database = (select oid from pg_database where datname = current_database())`),
      { timeout: 5000 },
    )
    .toEqual([{ count: 1 }])
  const waiting = openStore({ kind: 'url', url, soleUseMs: 5000 })
  await first.close()
  await (await waiting).close()
})

test('plans of before chunks are not fetched any more: their center makes them anew', async () => {
  const url = await server.createDatabase()
  const before = await copyMigrations('before-chunks', {})
  for (const name of await readdir(before)) if (Number(name.slice(0, 4)) > 4) await rm(join(before, name))
  const old = await openStore({ kind: 'url', url, migrations: before })
  await old.query(`insert into host (name, created_at) values ('h', now())`)
  await old.query(`insert into policy_text values ('t', 'f', 'b')`)
  await old.query(`insert into publication values (1, 'publish', 't', now(), 'admin')`)
  await old.query(`insert into plan_section values ('s', '[]')`)
  await old.query(`insert into host_plan (host, revision, digest, sections) values ('h', 1, 'd', '{s}')`)
  await old.close()
  const store = await openStore({ kind: 'url', url })
  expect(await readPlanSections(store, 'h', 1)).toBe(null)
  expect(await readLatestPlans(store)).toEqual([{ host: 'h', revision: 1, digest: 'd' }])
  const next = {
    revision: 2,
    cause: 'schedule',
    policy_digest: 't',
    published_at: new Date(),
    published_by: 'x',
  } as const
  const content = {
    sections: [
      { digest: 'a', chunks: ['c1', 'c2', 'c1'] },
      { digest: 'empty', chunks: [] },
    ],
    chunks: [
      { digest: 'c1', body: '["é"]' },
      { digest: 'c2', body: '[2]' },
    ],
  }
  await addPublication(store, next, [{ host: 'h', digest: 'e', sections: ['a', 'empty'] }], content)
  const [c1, c2] = [
    { digest: 'c1', bytes: 6 },
    { digest: 'c2', bytes: 3 },
  ]
  expect(await readPlanSections(store, 'h', 2)).toEqual([
    { digest: 'a', chunks: [c1, c2, c1] },
    { digest: 'empty', chunks: [] },
  ])
  await deleteUnusedSections(store)
  expect(await readPlanChunks(store, ['c1', 'gone'])).toEqual([{ digest: 'c1', body: '["é"]' }])
  await store.query('update host_plan set sections = null')
  await deleteUnusedSections(store)
  expect(await readPlanChunks(store, ['c1', 'c2'])).toEqual([])
  await store.close()
})
