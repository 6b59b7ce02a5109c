import { readFile } from 'node:fs/promises'

import { known, unknown, type Observed } from '@hyperward/model'

/** The text, null if there is no such file, or unknown with the reason: unreadable never looks like absent. */
export async function readFileIfExists(path: string): Promise<Observed<string | null>> {
  try {
    return known(await readFile(path, 'utf8'))
  } catch (error) {
    const code = errnoCode(error)
    if (code === 'ENOENT') return known(null)
    return unknown(`${path} could not be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The errno name (`ENOSPC`) of a failed system call, or null. */
export function errnoCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
