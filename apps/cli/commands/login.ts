import { createHash, X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { connect } from 'node:tls'

import { writeFileAtomic } from '@hyperward/os'
import { statusSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { openCenter } from '../connection/center.ts'
import { readToken } from '../connection/read-token.ts'
import { configDirectory, parseCenterUrl, readSettings, type StoredSettings } from '../connection/settings.ts'
import { toConnectionError } from '../connection/to-connection-error.ts'
import { cliError } from '../failures.ts'
import { parseDurationMs } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { UsageError } from '../usage-error.ts'

/** Nothing is stored before the center has answered with what is to be stored. */
export const login: Run<'login'> = async ({ values, positionals: [address = ''], context }) => {
  const { out, text, globals, io } = context
  const url = parseCenterUrl(address)
  const timeoutMs = globals.timeout === undefined ? 30_000 : parseDurationMs('--timeout', globals.timeout)
  const settings = await readSettings(globals, io)
  const tokenFile = settings.tokenFile.value
  if (tokenFile === null) throw cliError('cli.no-token', {})
  const token = await readToken(tokenFile)
  const directory = configDirectory(io)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (values.fingerprint !== undefined && globals.ca !== undefined) {
    throw UsageError.of('cli.usage.together', { first: '--ca', second: '--fingerprint' }, 'login')
  }
  const caPath =
    values.fingerprint === undefined
      ? settings.ca.value
      : await storeCa(url, parseFingerprint(values.fingerprint), join(directory, 'ca.pem'), timeoutMs)
  if (caPath === null) throw cliError('cli.no-ca', {})
  const center = await openCenter({ url, caPath, token, tokenPath: tokenFile, timeoutMs, signal: io.signal })
  try {
    const route = 'GET /v1/status'
    const answer = await center.ask(route)
    const status = readAnswer(route, statusSchema, answer)
    const stored: StoredSettings = { center: url.origin, ca: resolve(caPath), tokenFile: resolve(tokenFile) }
    const path = settings.configPath
    await writeFileAtomic(path, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600 })
    if (globals.json) out.json(answer)
    else
      out.line(
        text('cli.said.logged-in', {
          center: status.center,
          software: status.software,
          revision: status.revision,
          path,
        }),
      )
    return 'ok'
  } finally {
    center.close()
  }
}

/** Hex with or without colons, or base64url as in enrolment tokens → base64url. */
function parseFingerprint(text: string): string {
  const hex = text.replaceAll(':', '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(hex)) return Buffer.from(hex, 'hex').toString('base64url')
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) return text
  throw UsageError.of('cli.usage.bad-fingerprint', { value: text }, 'login')
}

/** The CA certificate that the center shows, if it is the one meant. This connection carries no data; later ones trust that CA only. */
async function storeCa(url: URL, fingerprint: string, path: string, timeoutMs: number): Promise<string> {
  const shown = await readShownCertificates(url, timeoutMs).catch((error: unknown) => {
    throw toConnectionError(error, { url, caPath: path, timeoutMs, route: 'TLS' })
  })
  const found = shown.find((raw) => createHash('sha256').update(raw).digest('base64url') === fingerprint)
  if (found === undefined) throw cliError('cli.fingerprint-mismatch', { center: url.host, fingerprint })
  await writeFileAtomic(path, new X509Certificate(found).toString(), { mode: 0o600 })
  return path
}

async function readShownCertificates(url: URL, timeoutMs: number): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: url.hostname.replaceAll(/[[\]]/g, ''),
      port: Number(url.port || 443),
      minVersion: 'TLSv1.3',
      // judged by the fingerprint, not by a chain
      rejectUnauthorized: false,
      timeout: timeoutMs,
    })
    socket.once('error', reject)
    socket.once('timeout', () => socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT_ANSWER' })))
    socket.once('secureConnect', () => {
      const leaf = socket.getPeerCertificate(true)
      socket.destroy()
      resolve([leaf.raw, ...(leaf.issuerCertificate?.raw === undefined ? [] : [leaf.issuerCertificate.raw])])
    })
  })
}
