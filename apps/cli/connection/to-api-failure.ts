import type { ErrorDetails, OperationError } from '@hyperward/model'

import { ApiFailure, cliError } from '../failures.ts'

/** An answer that is not 2xx: the center's own words where it has some; a proxy's page or a bare status otherwise. */
export function toApiFailure(status: number, text: string, tokenPath: string): ApiFailure | OperationError {
  const body = parseObject(text)
  const { code, message, details } = body ?? {}
  if (typeof code !== 'string' || typeof message !== 'string') return cliError('cli.center-failed', { status })
  return new ApiFailure(status, code, message, toDetails(details), body, tokenPath)
}

function toDetails(value: unknown): ErrorDetails {
  if (typeof value !== 'object' || value === null) return {}
  const plain = Object.entries(value).filter(
    ([, entry]) => entry === null || ['string', 'number', 'boolean'].includes(typeof entry),
  )
  return Object.fromEntries(plain)
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null // as: an object has string keys
  } catch {
    // not JSON, so not the center's own words: told as a bare status by the caller
    return null
  }
}
