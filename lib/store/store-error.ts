import { OperationError } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'
import { DatabaseError } from 'pg'

/**
 * What a failed statement means to its caller: the store is full, or it does not answer. Anything else (a violated constraint, a wrong statement)
 * is given back as it is: its caller knows it, or it is a bug. Codes: PostgreSQL manual, appendix A.
 */
export function toStoreError(error: unknown): unknown {
  if (error instanceof OperationError) return error
  if (error instanceof DatabaseError) {
    const code = error.code ?? ''
    if (code === '53100') return full(error)
    // 08 connection, 53 resources, 57P operator (shutdown, crash, starting up), 58 system (58030 is an I/O error)
    if (/^(?:08|53|57P|58)/.test(code))
      return /No space left|Disk quota/i.test(error.message) ? full(error) : away(error)
    return error
  }
  const errno = errnoCode(error)
  if (errno !== null && /^(?:ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_)/.test(errno))
    return away(error)
  if (
    error instanceof Error &&
    /Connection terminated|timeout exceeded when trying to connect|Client was closed/.test(error.message)
  ) {
    return away(error)
  }
  return error
}

function full(cause: Error): OperationError {
  const message =
    'the disk of the store is full: nothing was stored; what was acknowledged before is safe; free some space'
  return new OperationError('store.no-space', message, {}, cause)
}

function away(cause: unknown): OperationError {
  const message = 'the store does not answer at this moment: nothing was stored; what was acknowledged before is safe'
  return new OperationError('store.unavailable', message, {}, cause)
}

/** The name of the constraint or the SQLSTATE a statement violated, or null. */
export function violatedConstraint(error: unknown): string | null {
  if (!(error instanceof DatabaseError)) return null
  return error.code?.startsWith('23') === true ? (error.constraint ?? error.code) : null
}
