/**
 * From one major version to the next by dump and restore: old server → SQL → new cluster beside it → renamed into place when whole.
 * The old cluster is only read, and kept as `data.<major>` afterwards; until the rename a failure or crash leaves it as the store.
 */
import { access, chown, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { exec, readFileIfExists, writeFileAtomic } from '@hyperward/os'

import { adoptData, databaseRole, initializeData } from './initialize-data.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { runServer } from './run-server.ts'
import { toServerCommand, type ServerUser } from './server-user.ts'
import type { StoreDirectory } from './store-directory.ts'

export interface UpgradeOptions {
  readonly from: PostgresBinaries
  readonly to: PostgresBinaries
  readonly user: ServerUser
  readonly directory: StoreDirectory
  readonly onNotice: (text: string) => void
}

const hourMs = 3_600_000

export async function upgradeData(options: UpgradeOptions): Promise<void> {
  const { from, to, user, directory, onNotice } = options
  onNotice(`the store is upgraded from PostgreSQL ${from.major} to ${to.major}`)
  const work = join(directory.root, 'upgrade')
  await rm(work, { recursive: true, force: true })
  await mkdir(work, { mode: 0o700 })
  if (user.changes) await chown(work, user.uid, user.gid)
  const dump = join(work, 'dump.sql')
  // the newer program reads the older server; where the newer package has none, the older one's dump is restored as well
  const tools = (await exists(join(to.directory, 'pg_dump'))) ? to : from
  const run = async (program: string, args: readonly string[]): Promise<void> => {
    const command = toServerCommand(user, join(tools.directory, program), args, false)
    const result = await exec(command.file, command.args, { cwd: work, timeoutMs: hourMs })
    if (result.code === 0) return
    const message = `${program} failed while the store was upgraded: ${result.stderr.trim().slice(-1000)}; the old data is untouched`
    throw new OperationError('store.upgrade-failed', message, { from: from.major, to: to.major })
  }
  const connect = ['-h', directory.run, '-U', databaseRole, '-d']

  const old = await runServer({ binaries: from, user, directory, data: directory.data, onRestart: onNotice })
  try {
    await run('pg_dump', [...connect, 'hyperward', '--create', '--no-owner', '-f', dump])
  } finally {
    await old.stop()
  }
  await initializeData(to, user, directory, directory.newData)
  const fresh = await runServer({ binaries: to, user, directory, data: directory.newData, onRestart: onNotice })
  try {
    await run('psql', [...connect, 'postgres', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', dump])
  } finally {
    // a shutdown writes everything out: the rename below moves a whole cluster
    await fresh.stop()
  }
  await writeFileAtomic(directory.upgraded, String(from.major))
  await finishUpgrade(directory)
  onNotice(`the store is upgraded; the data of PostgreSQL ${from.major} is kept in ${directory.oldData(from.major)}`)
}

/** The two renames that end an upgrade, taken up again after a crash between them. Nothing to do when no upgrade is unfinished. */
export async function finishUpgrade(directory: StoreDirectory): Promise<void> {
  const marker = await readFileIfExists(directory.upgraded)
  if (!marker.known) throw new OperationError('store.directory-unusable', marker.reason, { path: directory.upgraded })
  if (marker.value === null) return
  const kept = directory.oldData(Number(marker.value))
  if (await exists(directory.newData)) {
    if (await exists(directory.data)) {
      await rm(kept, { recursive: true, force: true })
      await rename(directory.data, kept)
    }
    await adoptData(directory.newData, directory.data, directory.root)
  }
  await rm(directory.upgraded)
  await rm(join(directory.root, 'upgrade'), { recursive: true, force: true })
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
