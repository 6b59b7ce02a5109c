/**
 * One-time enrolment tokens: `hw1.<SHA-256 of the center's CA certificate, base64url>.<secret>`. The fingerprint lets an agent know the center
 * before it has any certificate. The center keeps {@link hashSecret} of the whole token only; 256 random bits need no slow hash.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

export interface EnrolmentToken {
  readonly fingerprint: string
  readonly secret: string
}

const tokenPattern = /^hw1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/

export function createEnrolmentToken(fingerprint: string): string {
  return `hw1.${fingerprint}.${createSecret()}`
}

export function parseEnrolmentToken(text: string): EnrolmentToken | null {
  const match = tokenPattern.exec(text.trim())
  const [, fingerprint, secret] = match ?? []
  return fingerprint === undefined || secret === undefined ? null : { fingerprint, secret }
}

/** 256 random bits, base64url. */
export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Hex SHA-256. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Compares without telling by its time where they differ. */
export function hashesEqual(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}
