import type { OperationErrorCode } from './codes/operation-error-codes.ts'

/** Detail values are shown to users and logged as fields: never put a secret in one. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>

/** A failed operation: something real said no. The message says what happened, to what, what still holds, and what to do. */
export class OperationError extends Error {
  readonly code: OperationErrorCode
  readonly details: ErrorDetails

  constructor(code: OperationErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'OperationError'
    this.code = code
    this.details = details
  }
}
