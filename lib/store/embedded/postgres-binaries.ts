import { access, constants, readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'

/** The programs of one PostgreSQL major version. */
export interface PostgresBinaries {
  readonly major: number
  readonly directory: string
}

export const oldestSupportedMajor = 15
const debianRoot = '/usr/lib/postgresql'

/** Installed versions, newest first. Fails with `store.binaries-missing` if there is none that we support. */
export async function findPostgresBinaries(): Promise<readonly PostgresBinaries[]> {
  const names = await readdir(debianRoot).catch(() => [])
  const found: PostgresBinaries[] = []
  for (const name of names) {
    const major = Number(name)
    const directory = join(debianRoot, name, 'bin')
    if (Number.isInteger(major) && major >= oldestSupportedMajor && (await hasServer(directory))) {
      found.push({ major, directory })
    }
  }
  if (found.length > 0) return found.sort((left, right) => right.major - left.major)
  const message = `no PostgreSQL ${oldestSupportedMajor} or newer in ${debianRoot}; install the package postgresql-${oldestSupportedMajor}, or give the URL of a server`
  throw new OperationError('store.binaries-missing', message, { directory: debianRoot })
}

/** A client-only package has psql but no server. */
async function hasServer(directory: string): Promise<boolean> {
  try {
    await access(join(directory, 'postgres'), constants.X_OK)
    await access(join(directory, 'initdb'), constants.X_OK)
    return true
  } catch {
    // absent or not executable: either way not usable
    return false
  }
}
