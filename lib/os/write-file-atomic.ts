import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

import { OperationError } from '@hyperward/model'

import { errnoCode } from './read-file-if-exists.ts'

/**
 * Replaces a file as one step that also holds through a power cut: write beside it, fsync, rename, fsync the directory.
 * On failure (`os.no-space`, `os.file-unwritable`) the old file stays as it was and nothing is left beside it.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    const directory = await open(dirname(path), 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    const errno = errnoCode(cause)
    if (errno === 'ENOSPC' || errno === 'EDQUOT') {
      const message = `no space left to write ${path}; the file that was there still holds; free space and try again`
      throw new OperationError('os.no-space', message, { path }, cause)
    }
    const message = `${path} could not be written (${errno ?? 'unknown error'}); the file that was there still holds`
    throw new OperationError('os.file-unwritable', message, { path, errno }, cause)
  }
}
