/**
 * The agent's first contact (client side): find the center's CA by the token's fingerprint, then send the token over TLS that trusts only that CA.
 * Nothing, and above all not the token, is sent to a center that has not shown the CA the token names.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { connect } from 'node:tls'

import { OperationError, parseHostName, type HostName } from '@hyperward/model'

import { createKeyAndCsr } from './key-and-csr.ts'
import { toCenterTlsOptions } from './tls.ts'
import { parseEnrolmentToken } from './token.ts'

export interface Enrolled {
  readonly host: HostName
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}

/**
 * `url` is `https://host:port`. Fails with `pki.token-malformed`, `pki.not-the-center` (wrong CA), `pki.enroll-failed` (no answer), or
 * `pki.enroll-refused` with the center's code in `details.code`.
 */
export async function enrollHost(url: string, token: string, timeoutMs = 15_000): Promise<Enrolled> {
  const parsed = parseEnrolmentToken(token)
  if (parsed === null) {
    const message = 'this is not an enrolment token (hw1.…); make one with `hyperward hosts add NAME`'
    throw new OperationError('pki.token-malformed', message)
  }
  const target = new URL(url)
  const caPem = await fetchCa(target, parsed.fingerprint, timeoutMs)
  // the name in a request is only a hint: the center knows the host by the token
  const { keyPem, csrPem } = await createKeyAndCsr('new' as HostName)
  const answer = await post(target, caPem, { token: token.trim(), csr: csrPem }, timeoutMs)
  const host = parseHostName(answer.host)
  if (host === null) throw new OperationError('pki.enroll-failed', 'the center answered with no host name')
  return { host, keyPem, certificatePem: answer.certificate, caPem }
}

async function fetchCa(url: URL, fingerprint: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (cause?: unknown): void =>
      reject(new OperationError('pki.enroll-failed', `no TLS connection to ${url.host}`, { center: url.host }, cause))
    const socket = connect({
      host: url.hostname.replaceAll(/[[\]]/g, ''),
      port: Number(url.port || 443),
      minVersion: 'TLSv1.3',
      // the chain is judged below, by the fingerprint; this connection carries no data
      rejectUnauthorized: false,
      timeout: timeoutMs,
    })
    socket.once('error', failed)
    socket.once('timeout', () => {
      socket.destroy()
      failed()
    })
    socket.once('secureConnect', () => {
      const leaf = socket.getPeerCertificate(true)
      socket.destroy()
      const root = leaf.issuerCertificate?.raw
      const shown = root === undefined ? '' : createHash('sha256').update(root).digest('base64url')
      if (root !== undefined && shown === fingerprint) return resolve(new X509Certificate(root).toString())
      const message = `${url.host} is not the center this token was made by: its certificate authority is another; nothing was sent`
      reject(new OperationError('pki.not-the-center', message, { center: url.host }))
    })
  })
}

async function post(
  url: URL,
  caPem: string,
  body: { readonly token: string; readonly csr: string },
  timeoutMs: number,
): Promise<{ readonly host: string; readonly certificate: string }> {
  const text = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const failed = (cause: unknown): void => {
      const message = `the center at ${url.host} did not answer the enrolment`
      reject(new OperationError('pki.enroll-failed', message, { center: url.host }, cause))
    }
    const call = request(
      new URL('/v1/enroll', url),
      {
        method: 'POST',
        ...toCenterTlsOptions(caPem),
        headers: { 'content-type': 'application/json' },
        timeout: timeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', failed)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        )
      },
    )
    call.on('error', failed)
    call.on('timeout', () => call.destroy(new Error('timeout')))
    call.end(JSON.stringify(body))
  })
  const answer = parseObject(text.body)
  const { host, certificate, code, message } = answer
  if (text.status === 200 && typeof host === 'string' && typeof certificate === 'string') return { host, certificate }
  const said = typeof message === 'string' ? message : `the center answered ${text.status}`
  throw new OperationError('pki.enroll-refused', said, { code: typeof code === 'string' ? code : null })
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    // a JSON object has string keys; each value is checked where it is used
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // not JSON: an answer without the fields, refused by the caller
    return {}
  }
}
