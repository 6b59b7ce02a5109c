import 'reflect-metadata'
import { webcrypto } from 'node:crypto'

import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import type { HostName } from '@hyperward/model'

import { createKeyPair, keyAlgorithm, toKeyPem } from './key.ts'

export interface KeyAndCsr {
  /** PKCS #8 PEM: keep it in a 0600 file, never send it. */
  readonly keyPem: string
  /** PKCS #10 PEM. Its subject is a hint: the center writes the name it knows (from the token or the client certificate). */
  readonly csrPem: string
}

export async function createKeyAndCsr(host: HostName): Promise<KeyAndCsr> {
  const keys = await createKeyPair()
  const csr = await Pkcs10CertificateRequestGenerator.create(
    { name: [{ CN: [host] }], keys, signingAlgorithm: keyAlgorithm },
    webcrypto,
  )
  return { keyPem: await toKeyPem(keys.privateKey), csrPem: `${csr.toString('pem')}\n` }
}
