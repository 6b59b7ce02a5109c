/** Names in certificates, as SPIFFE ids (URI in the subject alternative name). The common name is for people only: nothing reads it. */
import type { X509Certificate } from 'node:crypto'

import { parseHostName, type HostName } from '@hyperward/model'

export const centerUri = 'spiffe://hyperward/center'
const hostUriPrefix = 'spiffe://hyperward/host/'

export function toHostUri(host: HostName): string {
  return `${hostUriPrefix}${host}`
}

/** The host an agent's certificate speaks for; null if it names none, or anything beside it. Says nothing of trust: TLS has checked the chain. */
export function readHostName(certificate: X509Certificate): HostName | null {
  const prefix = `URI:${hostUriPrefix}`
  const san = certificate.subjectAltName
  // Node joins several names with ', ' and quotes odd ones; a host name holds neither a comma nor a quote, so more than one name fails to parse
  return san?.startsWith(prefix) === true ? parseHostName(san.slice(prefix.length)) : null
}

/** Whether this is the center itself (by whatever address it was reached). An agent's certificate never is. */
export function isCenterCertificate(certificate: X509Certificate): boolean {
  const names = certificate.subjectAltName?.split(', ') ?? []
  return names.includes(`URI:${centerUri}`)
}
