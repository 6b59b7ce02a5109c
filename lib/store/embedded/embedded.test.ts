import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { openStore, type OpenedStore } from '../open-store.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'

let root: string
let dir: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hwc-embedded-'))
  await chmod(root, 0o711)
  dir = join(root, 's')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const open = (): Promise<OpenedStore> => openStore({ kind: 'embedded', dir })

async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State: gone')
  return !/State:\s(?:gone|Z)/.test(status)
}

/** Children of the postmaster: backends, writers. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number)
}

test('the server is private: not root, no TCP, closed directories, fsync on; it stops with us', async () => {
  const store = await open()
  const pid = store.serverPid() ?? 0
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  expect(status).not.toMatch(/^Uid:\s+0\s/m)
  if (process.getuid?.() === 0) expect(status).toMatch(/^CapEff:\s+0000000000000000$/m)
  expect(await store.query(`select current_setting('listen_addresses') as l, current_setting('fsync') as f`)).toEqual([
    { l: '', f: 'on' },
  ])
  for (const name of ['data', 'run', 'log']) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o700)
  await store.close()
  expect(await isAlive(pid)).toBe(false)
})

test('a second center on the same directory is refused, a killed one’s mark is not', async () => {
  const store = await open()
  await expect(open()).rejects.toMatchObject({ code: 'store.in-use' })
  await store.close()
  await writeFile(join(dir, 'owner.json'), JSON.stringify({ pid: 1, startTime: '1' }))
  await (await open()).close()
})

test('what was acknowledged is there after kill -9 of the server in the middle of writes, again and again', async () => {
  const store = await open()
  await store.query('create table acknowledged (id integer primary key)')
  const acknowledged: number[] = []
  const state = { writing: true, next: 0 }
  const write = async (): Promise<void> => {
    while (state.writing) {
      const id = (state.next += 1)
      try {
        await store.query('insert into acknowledged values ($1)', [id])
        acknowledged.push(id)
      } catch (error) {
        expect(error).toMatchObject({ code: 'store.unavailable' })
        await sleep(20)
      }
    }
  }
  const writers = [write(), write(), write()]
  for (let round = 0; round < 3; round += 1) {
    const before = acknowledged.length
    await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before + 100)
    const pid = store.serverPid() ?? 0
    const children = await childrenOf(pid)
    for (const each of [pid, ...children]) process.kill(each, 'SIGKILL')
  }
  const before = acknowledged.length
  await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before + 100)
  state.writing = false
  await Promise.all(writers)
  const rows = await store.query<{ id: number }>('select id from acknowledged')
  const stored = new Set(rows.map((row) => row.id))
  expect(acknowledged.filter((id) => !stored.has(id))).toEqual([])
  await store.close()
}, 60_000)

test('kill -9 of the process that opened it takes the server down cleanly, and the next start has its data', async () => {
  await mkdir(root, { recursive: true })
  const script = `
    const { openStore } = await import(${JSON.stringify(new URL('../open-store.ts', import.meta.url).href)})
    const store = await openStore({ kind: 'embedded', dir: ${JSON.stringify(dir)} })
    await store.query('create table kept (id integer)')
    await store.query('insert into kept values (1)')
    console.log(JSON.stringify({ pid: process.pid, server: store.serverPid() }))
    setInterval(() => undefined, 1000)`
  const child = execFile(process.execPath, ['--input-type=module', '-e', script])
  const pids = await new Promise<{ pid: number; server: number }>((resolve, reject) => {
    let errors = ''
    child.stdout?.on('data', (text: string) => resolve(JSON.parse(text)))
    child.stderr?.on('data', (text: string) => (errors += text))
    child.on('exit', () => reject(new Error(errors)))
  })
  process.kill(pids.pid, 'SIGKILL')
  const store = await open()
  expect(await store.query('select id from kept')).toEqual([{ id: 1 }])
  expect(await isAlive(pids.server)).toBe(false)
  await store.close()
}, 30_000)

test('a stale postmaster.pid, though its pid now belongs to another process, keeps nothing from starting', async () => {
  const store = await open()
  const text = await readFile(join(dir, 'data', 'postmaster.pid'), 'utf8')
  await store.close()
  await writeFile(join(dir, 'data', 'postmaster.pid'), text.replace(/^\d+/, String(process.pid)))
  await (await open()).close()
}, 30_000)

test('what initdb left half made is made again', async () => {
  await mkdir(join(dir, 'data.new'), { recursive: true })
  await writeFile(join(dir, 'data.new', 'PG_VERSION'), '15\n')
  await (await open()).close()
  expect(await readdir(dir)).not.toContain('data.new')
})

test('data that vanished is not replaced by an empty store', async () => {
  await mkdir(join(dir, 'data.14'), { recursive: true })
  await expect(open()).rejects.toMatchObject({ code: 'store.directory-unusable' })
})

test('data of a major version that is not installed is refused, names the package, and stays untouched', async () => {
  await (await open()).close()
  const version = join(dir, 'data', 'PG_VERSION')
  for (const major of ['13', '99']) {
    await writeFile(version, `${major}\n`)
    const refused = open()
    await expect(refused).rejects.toMatchObject({ code: 'store.major-mismatch' })
    await expect(refused).rejects.toThrow(`postgresql-${major}`)
    expect(await readFile(version, 'utf8')).toBe(`${major}\n`)
  }
})

test('an older major version is upgraded; the old data is kept', async () => {
  const store = await open()
  await store.query(`insert into host (name, created_at) values ('host-1', now())`)
  const before = await store.query('select * from schema_migration')
  await store.close()
  const [installed] = await findPostgresBinaries()
  if (installed === undefined) throw new Error('no PostgreSQL')
  // one version is installed here: it stands in for its successor too, so that the whole way is gone with real tools
  const binaries = [{ major: installed.major + 1, directory: installed.directory }, installed]
  const notices: string[] = []
  const upgraded = await openStore({ kind: 'embedded', dir, binaries, onNotice: (text) => notices.push(text) })
  expect(await upgraded.query('select name from host')).toEqual([{ name: 'host-1' }])
  expect(await upgraded.query('select * from schema_migration')).toEqual(before)
  await upgraded.close()
  expect(notices.join('\n')).toContain('is kept in')
  expect(await readdir(dir)).toEqual(expect.arrayContaining(['data', `data.${installed.major}`]))
  expect(await readdir(dir)).not.toContain('upgraded.from')
}, 60_000)

test('a crash between the two renames of an upgrade is finished at the next start', async () => {
  const store = await open()
  await store.query(`insert into host (name, created_at) values ('new', now())`)
  await store.close()
  const { rename } = await import('node:fs/promises')
  await rename(join(dir, 'data'), join(dir, 'data.new'))
  await mkdir(join(dir, 'data.14'))
  await writeFile(join(dir, 'upgraded.from'), '14')
  const again = await open()
  expect(await again.query('select name from host')).toEqual([{ name: 'new' }])
  await again.close()
})

test('a directory the server’s account cannot reach, or too long a path, is told with the remedy', async () => {
  await expect(openStore({ kind: 'embedded', dir: join(root, 'x'.repeat(100)) })).rejects.toMatchObject({
    code: 'store.directory-unusable',
  })
  if (process.getuid?.() !== 0) return
  await chmod(root, 0o700)
  await expect(open()).rejects.toThrow(`chmod a+x ${root}`)
})

test('a full disk is told, nothing acknowledged is lost, and it goes on when there is space', async () => {
  // a tiny file system in a mount namespace of its own: it ends with the process
  const script = new URL('../testing/full-disk.ts', import.meta.url).pathname
  await mkdir(dir, { recursive: true })
  await chmod(dir, 0o711)
  const { stdout } = await promisify(execFile)(
    'unshare',
    [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      'mount -t tmpfs -o size=110m,mode=711 hwc "$1" && exec "$2" "$3" "$1"',
      'sh',
      dir,
      process.execPath,
      script,
    ],
    { timeout: 90_000 },
  )
  const told = JSON.parse(stdout)
  expect(told.codes).toEqual(expect.arrayContaining(['store.no-space']))
  expect(told.codes.filter((code: string) => !code.startsWith('store.'))).toEqual([])
  expect(told.acknowledged).toBeGreaterThan(10)
  expect(told.lost).toEqual([])
  expect(told.afterwards).toBe(true)
}, 100_000)
