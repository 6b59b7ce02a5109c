import { hash } from 'node:crypto'

/** The hash the core is given in tests. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}
