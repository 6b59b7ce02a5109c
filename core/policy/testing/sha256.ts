import { createHash } from 'node:crypto'

/** The hash the core is given in tests. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
