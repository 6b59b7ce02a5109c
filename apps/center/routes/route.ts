/** What every route's description shares. */
import { errorSchema } from '@hyperward/protocol'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

import type { ApiAction } from '../http/actions.ts'

export function typed(app: FastifyInstance) {
  return app.withTypeProvider<ZodTypeProvider>()
}

/** Answers that any route may give instead. */
export const errorAnswers = { '4xx': errorSchema, '5xx': errorSchema } as const

export function acts<A extends ApiAction>(action: A): { readonly action: A } {
  return { action }
}

export const byAdministrator = [{ administrator: [] }]
