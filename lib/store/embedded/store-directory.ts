/** The embedded store's directory. `data` and `run` belong to the server's user and are closed to others; we make only what is missing. */
import { chmod, chown, mkdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { OperationError } from '@hyperward/model'

import type { ServerUser } from './server-user.ts'

export interface StoreDirectory {
  readonly root: string
  readonly data: string
  /** Being made by initdb or by an upgrade; renamed to `data` when whole. */
  readonly newData: string
  /** Data of the former major version, kept by an upgrade. */
  readonly oldData: (major: number) => string
  /** Written when the new cluster is whole, until it has taken the old one's place. */
  readonly upgraded: string
  readonly run: string
  readonly log: string
  readonly startLog: string
  readonly owner: string
}

/** `sun_path` holds 108 bytes with its ending NUL (unix(7)); the server adds `/.s.PGSQL.5432.lock`. */
const longestRunPath = 107 - '/.s.PGSQL.5432.lock'.length

export async function prepareStoreDirectory(path: string, user: ServerUser): Promise<StoreDirectory> {
  const root = resolve(path)
  const directory: StoreDirectory = {
    root,
    data: join(root, 'data'),
    newData: join(root, 'data.new'),
    oldData: (major) => join(root, `data.${major}`),
    upgraded: join(root, 'upgraded.from'),
    run: join(root, 'run'),
    log: join(root, 'log'),
    startLog: join(root, 'start.log'),
    owner: join(root, 'owner.json'),
  }
  if (Buffer.byteLength(directory.run) > longestRunPath) {
    const message = `the path ${directory.run} is too long for a socket (at most ${longestRunPath} bytes); choose a shorter data directory`
    throw new OperationError('store.directory-unusable', message, { path: directory.run })
  }
  await mkdir(root, { recursive: true, mode: 0o711 })
  for (const own of [directory.run, directory.log]) {
    await mkdir(own, { recursive: true })
    if (user.changes) await chown(own, user.uid, user.gid)
    await chmod(own, 0o700)
  }
  if (user.changes) await requirePassage(root, user)
  return directory
}

/** The server's user must be able to walk through every directory above its data. */
async function requirePassage(root: string, user: ServerUser): Promise<void> {
  for (let path = root; ; path = dirname(path)) {
    const found = await stat(path)
    const bit = found.uid === user.uid ? 0o100 : found.gid === user.gid ? 0o010 : 0o001
    if ((found.mode & bit) === 0) {
      const message = `the account ${user.name}, which runs the embedded store, may not pass through ${path}; \`chmod a+x ${path}\` or choose another data directory`
      throw new OperationError('store.directory-unusable', message, { path, account: user.name })
    }
    if (dirname(path) === path) return
  }
}
