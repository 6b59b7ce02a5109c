import { join } from 'node:path'

import { createSecret, hashSecret } from '@hyperward/pki'
import { writeFileAtomic } from '@hyperward/os'
import { addAdminToken, readAdminTokens, type Store } from '@hyperward/store'

/**
 * The first administrator's token, made once: a file only its owner reads, and a hash in the store. Returns the file's path, whether made now or earlier.
 * The file comes first: a crash between the two makes another token at the next start, and nobody is locked out.
 */
export async function ensureAdminToken(store: Store, directory: string, clock: () => Date): Promise<string> {
  const path = join(directory, 'admin-token')
  if ((await readAdminTokens(store)).length > 0) return path
  const token = `hwa1.${createSecret()}`
  await writeFileAtomic(path, `${token}\n`, { mode: 0o600 })
  await addAdminToken(store, 'admin', hashSecret(token), clock())
  return path
}
