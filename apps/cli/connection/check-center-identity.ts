import { X509Certificate } from 'node:crypto'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'

/** The center's SPIFFE id (lib/pki/names.ts; a test compares them: loading lib/pki here would double the start-up time). */
export const centerUri = 'spiffe://hyperward/center'

/**
 * The center is known by its authority and its id, by whatever address it was reached: addresses change, and a certificate of an agent never has
 * this id. A certificate without it (the operator's own proxy under the operator's own CA) must have the name in the URL.
 */
export function checkCenterIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  const names = new X509Certificate(certificate.raw).subjectAltName?.split(', ') ?? []
  return names.includes(`URI:${centerUri}`) ? undefined : checkServerIdentity(host, certificate)
}
