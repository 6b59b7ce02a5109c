import { open } from 'node:fs/promises'

import { errnoCode } from '@hyperward/os'

import { cliError } from '../failures.ts'

const longestToken = 4096

/**
 * The token in a file that only its owner can read; refused otherwise, before it is read. The mode is that of the opened file, so that it cannot be
 * exchanged in between.
 */
export async function readToken(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw cliError('cli.token-unreadable', { path, reason: errnoCode(error) ?? String(error) }, error)
  })
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw cliError('cli.token-unreadable', { path, reason: 'not a regular file' })
    if ((stat.mode & 0o077) !== 0) throw cliError('cli.token-exposed', { path, mode: (stat.mode & 0o777).toString(8) })
    if (stat.size > longestToken) throw cliError('cli.token-unreadable', { path, reason: `${stat.size} bytes` })
    const token = (await file.readFile('utf8')).trim()
    if (!/^[\u0021-\u007e]+$/.test(token))
      throw cliError('cli.token-unreadable', { path, reason: 'not one line of ASCII' })
    return token
  } finally {
    await file.close()
  }
}
