import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { parseHostName, type HostName } from '@hyperward/model'
import { afterEach, beforeEach, expect, test } from 'vitest'

import {
  createEnrolmentToken,
  createKeyAndCsr,
  hashesEqual,
  hashSecret,
  isCenterCertificate,
  openCa,
  parseEnrolmentToken,
  readHostName,
  type Ca,
} from './index.ts'

const now = new Date('2026-05-01T12:00:00Z')
const clock = (): Date => now
const host = (text: string): HostName => parseHostName(text) ?? expect.fail(text)

let directory: string
let ca: Ca

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hwc-pki-'))
  ca = await openCa({ directory, name: 'test', clock })
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('the authority is made once and stays; its key is closed to others', async () => {
  const again = await openCa({ directory, name: 'test', clock })
  expect(again.fingerprint).toBe(ca.fingerprint)
  expect((await stat(join(directory, 'ca.key'))).mode & 0o777).toBe(0o600)
  const root = new X509Certificate(ca.certificatePem)
  expect(root.ca).toBe(true)
  expect(root.verify(root.publicKey)).toBe(true)
})

test('an authority that cannot be read is never replaced by a new one', async () => {
  const certificate = await readFile(join(directory, 'ca.pem'), 'utf8')
  await rm(join(directory, 'ca.key'))
  await expect(openCa({ directory, name: 'test', clock })).rejects.toMatchObject({ code: 'pki.ca-unreadable' })
  await writeFile(join(directory, 'ca.key'), 'nonsense')
  await expect(openCa({ directory, name: 'test', clock })).rejects.toMatchObject({ code: 'pki.ca-unreadable' })
  const { keyPem } = await createKeyAndCsr(host('x'))
  await writeFile(join(directory, 'ca.key'), keyPem)
  await expect(openCa({ directory, name: 'test', clock })).rejects.toMatchObject({ code: 'pki.ca-unreadable' })
  expect(await readFile(join(directory, 'ca.pem'), 'utf8')).toBe(certificate)
})

test('an agent’s certificate names the host the center means, for a day, as a client only', async () => {
  const { csrPem } = await createKeyAndCsr(host('what-the-agent-says'))
  const issued = await ca.issueAgent(csrPem, host('host-1'))
  const certificate = new X509Certificate(issued.pem)
  expect(certificate.subjectAltName).toBe('URI:spiffe://hyperward/host/host-1')
  expect(readHostName(certificate)).toBe('host-1')
  expect(isCenterCertificate(certificate)).toBe(false)
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  expect(certificate.ca).toBe(false)
  expect(certificate.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true)
  expect(new Date(certificate.validTo).getTime() - now.getTime()).toBe(24 * 3_600_000)
  expect(certificate.serialNumber.toLowerCase()).toBe(issued.serial)
})

test('the center’s certificate is a server only, and no host’s', async () => {
  const certificate = new X509Certificate((await ca.issueServer(['localhost', '127.0.0.1', '::1'])).pem)
  expect(isCenterCertificate(certificate)).toBe(true)
  expect(readHostName(certificate)).toBe(null)
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  expect(certificate.checkHost('localhost')).toBe('localhost')
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
})

test('a request that is altered, not a request, or of a weak key is refused', async () => {
  const { csrPem } = await createKeyAndCsr(host('host-1'))
  const der = Buffer.from(csrPem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  der[30] = (der[30] ?? 0) ^ 1
  const altered = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`
  for (const text of [altered, '', 'nonsense', ca.certificatePem]) {
    await expect(ca.issueAgent(text, host('host-1'))).rejects.toMatchObject({ code: 'pki.csr-invalid' })
  }
})

test('a token carries the fingerprint, and two are never alike', () => {
  const token = createEnrolmentToken(ca.fingerprint)
  expect(parseEnrolmentToken(`${token}\n`)?.fingerprint).toBe(ca.fingerprint)
  expect(createEnrolmentToken(ca.fingerprint)).not.toBe(token)
  for (const text of ['', 'hw1..', `hw2.${token.slice(4)}`, token.slice(0, -1), `${token}x`]) {
    expect(parseEnrolmentToken(text)).toBe(null)
  }
  expect(hashesEqual(hashSecret(token), hashSecret(token))).toBe(true)
  expect(hashesEqual(hashSecret(token), hashSecret(`${token}x`))).toBe(false)
})
