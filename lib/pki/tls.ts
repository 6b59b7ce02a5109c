/** TLS settings of both ends: version 1.3 only, trust in our own authority only. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions, PeerCertificate } from 'node:tls'

import { OperationError } from '@hyperward/model'

import { isCenterCertificate } from './names.ts'

export interface TlsIdentity {
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}

export interface TlsIdentityPaths {
  readonly key: string
  readonly certificate: string
  readonly ca: string
}

/** Fails with `pki.identity-unreadable`, naming the file. */
export async function loadTlsIdentity(paths: TlsIdentityPaths): Promise<TlsIdentity> {
  return {
    keyPem: await readPem(paths.key),
    certificatePem: await readPem(paths.certificate),
    caPem: await readPem(paths.ca),
  }
}

/**
 * For `tls.connect`, `https.request` and `ws` (spread it into their options). The center is known by the authority and by its SPIFFE id,
 * not by the address it was reached at: agents hold addresses, and those change. Without `identity` the client shows no certificate.
 */
export function toCenterTlsOptions(
  caPem: string,
  identity?: Pick<TlsIdentity, 'keyPem' | 'certificatePem'>,
): ConnectionOptions {
  return {
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ca: [caPem],
    rejectUnauthorized: true,
    checkServerIdentity: (_host: string, certificate: PeerCertificate): Error | undefined =>
      isCenterCertificate(new X509Certificate(certificate.raw))
        ? undefined
        : new OperationError('pki.not-the-center', 'the other side is of our authority but is not the center'),
    ...(identity === undefined ? {} : { key: identity.keyPem, cert: identity.certificatePem }),
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new OperationError('pki.identity-unreadable', `${path} could not be read`, { path }, cause)
  }
}
