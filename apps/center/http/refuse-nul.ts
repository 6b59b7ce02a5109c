/** The store's text holds no NUL: a request with one anywhere is refused, before it can fail where nobody expects it. */
import { OperationError } from '@hyperward/model'
import type { FastifyInstance } from 'fastify'

export function refuseNul(app: FastifyInstance): void {
  app.addHook('preValidation', async ({ body, query, params }) => {
    if ([body, query, params].some(hasNul))
      throw new OperationError('api.bad-request', 'the request holds a NUL character')
  })
}

function hasNul(value: unknown): boolean {
  // a loop: the nesting of a body is the sender's
  const open: unknown[] = [value]
  while (open.length > 0) {
    const each = open.pop()
    if (typeof each === 'string') {
      if (each.includes('\0')) return true
    } else if (typeof each === 'object' && each !== null) {
      for (const [key, inner] of Object.entries(each)) open.push(key, inner)
    }
  }
  return false
}
