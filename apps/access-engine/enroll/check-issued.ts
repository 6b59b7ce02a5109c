import { createPrivateKey, X509Certificate } from 'node:crypto'

import { readHostName } from '@hyperward/pki'

import type { HostIdentity } from './host-identity.ts'

/** Why a certificate just issued is not one this host can use, or null: it must be of our CA, for our key, and for our name. */
export function checkIssued(identity: HostIdentity): string | null {
  try {
    // the chain, if any, follows the leaf: X509Certificate reads the first one
    const certificate = new X509Certificate(identity.certificatePem)
    if (!certificate.checkPrivateKey(createPrivateKey(identity.keyPem))) return 'it is not for the key of this host'
    if (!certificate.verify(new X509Certificate(identity.caPem).publicKey))
      return 'it is not of the center this host trusts'
    const host = readHostName(certificate)
    return host === identity.host ? null : `it is for host ${host ?? '(none)'}, this is ${identity.host}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
