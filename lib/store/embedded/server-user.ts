/**
 * Who runs the embedded server: never root. As root it is the account `hyperward-store` if there is one, else PostgreSQL's own `postgres`;
 * otherwise we ourselves. Every program of PostgreSQL is started through `setpriv`, which also ties the server's life to ours.
 */
import { userInfo } from 'node:os'

import { OperationError } from '@hyperward/model'
import { exec } from '@hyperward/os'

export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** Our own account's name: it may log in to the store. */
  readonly ownName: string
  /** True when programs must change to the account first. */
  readonly changes: boolean
}

export async function findServerUser(): Promise<ServerUser> {
  const own = userInfo()
  if (own.uid !== 0) return { name: own.username, uid: own.uid, gid: own.gid, ownName: own.username, changes: false }
  for (const name of ['hyperward-store', 'postgres']) {
    const uid = await exec('id', ['-u', name])
    const gid = await exec('id', ['-g', name])
    if (uid.code === 0 && gid.code === 0) {
      return { name, uid: Number(uid.stdout), gid: Number(gid.stdout), ownName: own.username, changes: true }
    }
  }
  const message =
    'the embedded store never runs as root, and neither the account hyperward-store nor postgres exists; create one (`useradd --system hyperward-store`)'
  throw new OperationError('store.binaries-missing', message)
}

/** `setpriv` and its arguments before the program: drop to the account, gain nothing, and (for the server) get SIGINT when we die, however we die. */
export function toServerCommand(
  user: ServerUser,
  program: string,
  args: readonly string[],
  diesWithUs: boolean,
): { readonly file: string; readonly args: readonly string[] } {
  const identity = user.changes
    ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all']
    : []
  // SIGINT is PostgreSQL's fast shutdown: sessions are ended, everything committed is on disk
  const death = diesWithUs ? ['--pdeathsig', 'INT'] : []
  return { file: 'setpriv', args: ['--no-new-privs', ...identity, ...death, '--', program, ...args] }
}
