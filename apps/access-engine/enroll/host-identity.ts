/**
 * What makes this host known to its center: key, certificate and the center's CA in one 0600 file, replaced as a whole, so that key and certificate always match.
 */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'

import { OperationError, parseHostName, type HostName, type Observed } from '@hyperward/model'
import { z } from 'zod'

export interface HostIdentity {
  readonly host: HostName
  /** `https://host:port` it enrolled at. */
  readonly center: string
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}

const fileSchema = z.strictObject({
  host: z.string(),
  center: z.url({ protocol: /^https$/ }),
  key: z.string(),
  certificate: z.string(),
  ca: z.string(),
})

export interface IdentityFiles {
  readonly readFile: (path: string) => Promise<Observed<string | null>>
  /** Atomic, mode 0600. */
  readonly writeFile: (path: string, text: string) => Promise<void>
}

export function identityPath(stateDir: string): string {
  return join(stateDir, 'identity.json')
}

export async function saveHostIdentity(stateDir: string, identity: HostIdentity, files: IdentityFiles): Promise<void> {
  const { host, center, keyPem, certificatePem, caPem } = identity
  const text = JSON.stringify({ host, center, key: keyPem, certificate: certificatePem, ca: caPem }, null, 2)
  await files.writeFile(identityPath(stateDir), `${text}\n`)
}

/** null: never enrolled. Fails with `pki.identity-unreadable` when there is one that cannot be used. */
export async function loadHostIdentity(
  stateDir: string,
  files: Pick<IdentityFiles, 'readFile'>,
): Promise<HostIdentity | null> {
  const path = identityPath(stateDir)
  const text = await files.readFile(path)
  if (text.known && text.value === null) return null
  const parsed = text.known ? parseIdentity(text.value ?? '') : null
  if (parsed !== null) return parsed
  const message = `${path} could not be used: ${text.known ? 'it is damaged' : text.reason}; enrol this host again`
  throw new OperationError('pki.identity-unreadable', message, { path })
}

function parseIdentity(text: string): HostIdentity | null {
  try {
    const file = fileSchema.safeParse(JSON.parse(text))
    const host = file.success ? parseHostName(file.data.host) : null
    if (!file.success || host === null) return null
    const { center, key, certificate, ca } = file.data
    const identity = { host, center, keyPem: key, certificatePem: certificate, caPem: ca }
    // reads both certificates: a file that TLS would refuse is refused here, where the remedy can be told
    readCertificateLife(identity)
    return new X509Certificate(ca).ca ? identity : null
  } catch {
    // not JSON or not a certificate: told by the caller with path and remedy
    return null
  }
}

export interface CertificateLife {
  readonly beginsAt: number
  readonly endsAt: number
}

/** Milliseconds since the epoch. */
export function readCertificateLife(identity: Pick<HostIdentity, 'certificatePem'>): CertificateLife {
  const certificate = new X509Certificate(identity.certificatePem)
  return { beginsAt: Date.parse(certificate.validFrom), endsAt: Date.parse(certificate.validTo) }
}
