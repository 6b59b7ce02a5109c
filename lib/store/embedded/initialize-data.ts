import { chown, chmod, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { exec } from '@hyperward/os'

import type { PostgresBinaries } from './postgres-binaries.ts'
import { toServerCommand, type ServerUser } from './server-user.ts'
import type { StoreDirectory } from './store-directory.ts'

export const databaseRole = 'hyperward'

/** Makes a cluster in `target`, from nothing: what a crash left half made there is removed first. */
export async function initializeData(
  binaries: PostgresBinaries,
  user: ServerUser,
  directory: StoreDirectory,
  target: string,
): Promise<void> {
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { mode: 0o700 })
  if (user.changes) await chown(target, user.uid, user.gid)
  const args = ['-D', target, '-U', databaseRole, '--encoding=UTF8', '--locale=C.UTF-8', '--data-checksums']
  const auth = ['--auth-local=peer', '--auth-host=reject', '--no-instructions']
  const program = join(binaries.directory, 'initdb')
  const command = toServerCommand(user, program, [...args, ...auth], false)
  const result = await exec(command.file, command.args, { cwd: directory.root, timeoutMs: 120_000 })
  if (result.code !== 0) {
    await rm(target, { recursive: true, force: true })
    const full = /No space left|Disk quota/i.test(result.stderr)
    const message = `initdb failed: ${result.stderr.trim().slice(-1000)}`
    throw new OperationError(full ? 'store.no-space' : 'store.start-failed', message, { exitCode: result.code })
  }
  // no password anywhere: the socket's directory is closed to others, and the kernel tells the server who we are (peer)
  const names = [...new Set([user.ownName, user.name])]
  await writeOwned(
    join(target, 'pg_ident.conf'),
    names.map((name) => `store "${name}" ${databaseRole}\n`).join(''),
    user,
  )
  await writeOwned(join(target, 'pg_hba.conf'), `local all ${databaseRole} peer map=store\n`, user)
}

/** The moment a new cluster becomes the store's. */
export async function adoptData(from: string, to: string, root: string): Promise<void> {
  await rename(from, to)
  const handle = await open(root, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeOwned(path: string, text: string, user: ServerUser): Promise<void> {
  await writeFile(path, text, { mode: 0o600 })
  if (user.changes) await chown(path, user.uid, user.gid)
  await chmod(path, 0o600)
}
