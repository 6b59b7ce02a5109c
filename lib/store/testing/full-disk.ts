/** Run by a test on a tiny file system, given as argument: fills the store's disk, frees it, and prints what was told and what was kept. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { OperationError } from '@hyperward/model'

import { openStore } from '../open-store.ts'

const mount = process.argv[2]
if (mount === undefined) throw new Error('usage: full-disk.ts MOUNTPOINT')
const store = await openStore({ kind: 'embedded', dir: join(mount, 's') })
await store.query('create table filler (id integer primary key, body text)')
const ballast = join(mount, 'ballast')
await writeFile(ballast, Buffer.alloc(8 * 1024 * 1024))

const acknowledged: number[] = []
const codes = new Set<string>()
const attempt = async (id: number): Promise<boolean> => {
  try {
    // incompressible, so that it takes its space
    await store.query(
      `insert into filler select $1, string_agg(md5(random()::text), '') from generate_series(1, 20000)`,
      [id],
    )
    acknowledged.push(id)
    return true
  } catch (error) {
    codes.add(error instanceof OperationError ? error.code : String(error))
    return false
  }
}
let id = 0
for (let failures = 0; failures < 5;) {
  id += 1
  if (!(await attempt(id))) {
    failures += 1
    await sleep(100)
  }
}
await rm(ballast)
let afterwards = false
for (let tries = 0; tries < 100 && !afterwards; tries += 1) {
  id += 1
  afterwards = await attempt(id)
  if (!afterwards) await sleep(200)
}
const rows = await store.query<{ id: number }>('select id from filler where length(body) = 640000')
const stored = new Set(rows.map((row) => row.id))
const lost = acknowledged.filter((each) => !stored.has(each))
process.stdout.write(JSON.stringify({ codes: [...codes], acknowledged: acknowledged.length, lost, afterwards }))
await store.close()
