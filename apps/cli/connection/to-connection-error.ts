import { OperationError } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'

import { cliError } from '../failures.ts'

interface Circumstances {
  readonly url: URL
  readonly caPath: string
  readonly timeoutMs: number
  readonly route: string
}

const untrusted: ReadonlySet<string> = new Set([
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
const outOfTime: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

/** Why there was no answer, in words; an abort by the user stays what it is. */
export function toConnectionError(error: unknown, { url, caPath, timeoutMs, route }: Circumstances): unknown {
  if (error instanceof OperationError || (error instanceof Error && error.name === 'AbortError')) return error
  const center = url.host
  const code = errnoCode(error) ?? ''
  const reason = code === '' ? (error instanceof Error ? error.message : String(error)) : code
  if (code === 'ETIMEDOUT_ANSWER') return cliError('cli.center-timeout', { center, route, ms: timeoutMs }, error)
  if (outOfTime.has(code)) return cliError('cli.certificate-expired', { center, reason }, error)
  if (untrusted.has(code)) return cliError('cli.center-untrusted', { center, ca: caPath, reason }, error)
  return cliError('cli.center-unreachable', { center, reason }, error)
}
