/**
 * The one authorization point. Every route passes here before anything of its request is read; one without a declared action does not start.
 * Routes whose authority is not an administrator's token (an agent's certificate, an enrolment token) prove it where it is used up.
 */
import { OperationError } from '@hyperward/model'
import { hashesEqual, hashSecret } from '@hyperward/pki'
import { readAdminTokens, type AdminTokenRow, type Store } from '@hyperward/store'
import type { FastifyInstance, FastifyRequest } from 'fastify'

import { actions, isAction, type ApiAction } from './actions.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    action?: ApiAction
  }
  interface FastifyRequest {
    /** Who asks; '' where no administrator is needed. */
    administrator: string
  }
}

/** A token that is taken back or rotated counts no longer than this. */
const tokensKeptMs = 10_000

export function addAuthorization(app: FastifyInstance, store: Store, clock: () => Date): void {
  app.decorateRequest('administrator', '')
  app.addHook('onRoute', (route) => {
    if (isAction(route.config?.action)) return
    throw new Error(`route ${String(route.method)} ${route.url} declares no action: it would be open to everyone`)
  })
  let known: { readonly tokens: readonly AdminTokenRow[]; readonly readAt: number } | null = null
  app.addHook('onRequest', async (request) => {
    // an unknown path has no route and so no action: it is answered with 404, to administrators only
    const action = request.routeOptions.config.action
    if (action !== undefined && actions[action] !== 'administrator') return
    const now = clock().getTime()
    // a clock that was set back does not keep them longer
    if (known === null || Math.abs(now - known.readAt) >= tokensKeptMs) {
      known = { tokens: await readAdminTokens(store), readAt: now }
    }
    request.administrator = identify(request, known.tokens)
  })
}

function identify(request: FastifyRequest, tokens: readonly AdminTokenRow[]): string {
  const given = /^Bearer ([\x21-\x7e]{1,512})$/.exec(request.headers.authorization ?? '')?.[1]
  const hash = given === undefined ? '' : hashSecret(given)
  // every token is compared, whichever fits
  const found = tokens.filter((token) => hashesEqual(token.hash, hash))[0]
  if (found !== undefined) return found.name
  const message =
    given === undefined
      ? 'this needs `Authorization: Bearer <token>`; the first administrator’s token is in the center’s data directory'
      : 'the token is not one of this center'
  throw new OperationError('api.unauthenticated', message)
}
