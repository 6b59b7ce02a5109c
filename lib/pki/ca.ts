/**
 * The center's own certification authority: one self-signed P-256 root in the center's directory (`ca.pem`, and `ca.key` 0600).
 * It issues the center's server certificate and short-lived client certificates of agents, and nothing that could issue further (RFC 5280, pathLen 0).
 * A root that is there but unreadable is an error: a new one would lock every agent out.
 */
import 'reflect-metadata'
import { createHash, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type JsonGeneralName,
  type PublicKeyType,
} from '@peculiar/x509'
import { OperationError, type HostName } from '@hyperward/model'
import { readFileIfExists, writeFileAtomic } from '@hyperward/os'

import { createKeyPair, keyAlgorithm, readKeyPair, toKeyPem } from './key.ts'
import { centerUri, toHostUri } from './names.ts'

export interface CaOptions {
  readonly directory: string
  /** Shown in the certificates' subjects. */
  readonly name: string
  readonly clock: () => Date
  /** Life of agents' certificates; default 24 h. */
  readonly agentHours?: number
  /** Life of the center's certificate; default 90 days. */
  readonly serverDays?: number
}

export interface IssuedCertificate {
  readonly pem: string
  /** Lower-case hex. */
  readonly serial: string
  readonly endsAt: Date
}

export interface Ca {
  readonly certificatePem: string
  /** SHA-256 of the certificate's DER, base64url: what an enrolment token carries. */
  readonly fingerprint: string
  /** A fresh key and a certificate for these names and addresses. */
  issueServer(names: readonly string[]): Promise<IssuedCertificate & { readonly keyPem: string }>
  /** Checks the request's own signature and key; the name in it is ignored. Fails with `pki.csr-invalid`. */
  issueAgent(csrPem: string, host: HostName): Promise<IssuedCertificate>
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const caDays = 3650
/** Clocks of hosts differ: a certificate is valid from a little before it was made. */
const backdateMs = 5 * 60_000

export async function openCa(options: CaOptions): Promise<Ca> {
  const certificatePath = join(options.directory, 'ca.pem')
  const keyPath = join(options.directory, 'ca.key')
  const keyPem = await readRequired(keyPath)
  const certificatePem = await readRequired(certificatePath)
  if (keyPem === null && certificatePem !== null) {
    const message = `${certificatePath} is there but ${keyPath} is missing; restore it from a backup: every agent trusts this authority`
    throw new OperationError('pki.ca-unreadable', message, { path: keyPath })
  }
  try {
    const keys = keyPem === null ? await createKeyPair() : await readKeyPair(keyPem)
    // the key first: a crash between the two leaves a key without a certificate, which the next start completes
    if (keyPem === null) await writeFileAtomic(keyPath, await toKeyPem(keys.privateKey), { mode: 0o600 })
    const certificate = certificatePem === null ? await createRoot(keys, options) : new X509Certificate(certificatePem)
    if (certificatePem === null) await writeFileAtomic(certificatePath, toPem(certificate), { mode: 0o644 })
    await refuseForeignKey(certificate, keys.publicKey, certificatePath)
    return createAuthority(certificate, keys, options)
  } catch (cause) {
    if (cause instanceof OperationError) throw cause
    const message = `the authority in ${options.directory} could not be read; restore ca.pem and ca.key from a backup`
    throw new OperationError('pki.ca-unreadable', message, { directory: options.directory }, cause)
  }
}

async function readRequired(path: string): Promise<string | null> {
  const text = await readFileIfExists(path)
  if (text.known) return text.value
  throw new OperationError('pki.ca-unreadable', text.reason, { path })
}

async function createRoot(keys: webcrypto.CryptoKeyPair, options: CaOptions): Promise<X509Certificate> {
  const now = options.clock()
  return X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: [{ CN: [`${options.name} CA`] }],
      notBefore: new Date(now.getTime() - backdateMs),
      notAfter: new Date(now.getTime() + caDays * dayMs),
      keys,
      signingAlgorithm: keyAlgorithm,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
}

async function refuseForeignKey(root: X509Certificate, key: webcrypto.CryptoKey, path: string): Promise<void> {
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', key))
  if (spki.equals(Buffer.from(root.publicKey.rawData))) return
  throw new OperationError('pki.ca-unreadable', `${path} was not made with ca.key beside it; restore both`, { path })
}

function createAuthority(root: X509Certificate, keys: webcrypto.CryptoKeyPair, options: CaOptions): Ca {
  const issue = async (
    subject: string,
    publicKey: PublicKeyType,
    lifeMs: number,
    names: JsonGeneralName[],
    usage: ExtendedKeyUsage,
  ): Promise<IssuedCertificate> => {
    const now = options.clock().getTime()
    const serialNumber = randomSerial()
    const endsAt = new Date(Math.min(now + lifeMs, root.notAfter.getTime()))
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber,
        subject: [{ CN: [subject] }],
        issuer: root.subjectName,
        notBefore: new Date(now - backdateMs),
        notAfter: endsAt,
        publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: keyAlgorithm,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([usage], true),
          new SubjectAlternativeNameExtension(names, false),
          await AuthorityKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    )
    return { pem: toPem(certificate), serial: serialNumber, endsAt: certificate.notAfter }
  }

  return {
    certificatePem: toPem(root),
    fingerprint: createHash('sha256').update(Buffer.from(root.rawData)).digest('base64url'),
    async issueServer(names) {
      const server = await createKeyPair()
      const general: JsonGeneralName[] = [
        { type: 'url', value: centerUri },
        ...names.map((value): JsonGeneralName => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ]
      const life = (options.serverDays ?? 90) * dayMs
      const issued = await issue(options.name, server.publicKey, life, general, ExtendedKeyUsage.serverAuth)
      return { ...issued, keyPem: await toKeyPem(server.privateKey) }
    },
    async issueAgent(csrPem, host) {
      const publicKey = await readRequest(csrPem)
      const life = (options.agentHours ?? 24) * hourMs
      return issue(host, publicKey, life, [{ type: 'url', value: toHostUri(host) }], ExtendedKeyUsage.clientAuth)
    },
  }
}

async function readRequest(csrPem: string): Promise<PublicKeyType> {
  try {
    const csr = new Pkcs10CertificateRequest(csrPem)
    const algorithm = csr.publicKey.algorithm
    const isP256 = algorithm.name === 'ECDSA' && 'namedCurve' in algorithm && algorithm.namedCurve === 'P-256'
    if (isP256 && (await csr.verify(webcrypto))) return csr.publicKey
  } catch (cause) {
    throw new OperationError('pki.csr-invalid', 'the certificate request could not be read', {}, cause)
  }
  const message = 'the certificate request must hold a P-256 key and be signed with it'
  throw new OperationError('pki.csr-invalid', message)
}

/** 127 random bits: positive and minimal in DER (RFC 5280 §4.1.2.2). */
function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

function toPem(certificate: X509Certificate): string {
  return new NodeCertificate(Buffer.from(certificate.rawData)).toString()
}
