import { hash } from 'node:crypto'

/** SHA-256 of the UTF-8 bytes of `text` (or of the bytes given) as 64 lower-case hex digits. */
export function sha256Hex(text: string | Uint8Array): string {
  return hash('sha256', text, 'hex')
}
