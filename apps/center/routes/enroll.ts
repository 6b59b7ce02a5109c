import { OperationError, parseHostName } from '@hyperward/model'
import { hashSecret } from '@hyperward/pki'
import { enrollResultSchema, enrollSchema, errorSchema } from '@hyperward/protocol'
import { markEnrolled, useEnrolmentToken } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'

import type { Services } from '../services/services.ts'
import { acts, errorAnswers, typed } from './route.ts'

export function addEnrollRoute(app: FastifyInstance, services: Services): void {
  const { store, ca, clock } = services
  typed(app).post(
    '/v1/enroll',
    {
      config: acts('agent:enroll'),
      schema: { security: [], body: enrollSchema, response: { 200: enrollResultSchema, ...errorAnswers } },
    },
    async (request) => {
      const now = clock()
      const { host, issued } = await store.transaction(async (tx) => {
        const name = await useEnrolmentToken(tx, hashSecret(request.body.token.trim()), now)
        const host = name === null ? null : parseHostName(name)
        if (host === null) {
          throw new OperationError('enroll.token-refused', 'the token is unknown, expired or used; make a new one')
        }
        // in the transaction: a request that cannot be signed does not use the token up
        const issued = await ca.issueAgent(request.body.csr, host)
        await markEnrolled(tx, host, now, issued)
        return { host, issued }
      })
      services.registry.find(host)?.cut('agent.replaced', 'this host was enrolled again')
      services.inventory.addHost(host)
      services.publisher.onInventoryChange()
      await services.recorder.event(host, 'host-enrolled', 'the host was enrolled')
      return { host, certificate: issued.pem, ca: ca.certificatePem, endsAt: issued.endsAt.toISOString() }
    },
  )

  typed(app).get(
    '/v1/agent',
    {
      config: acts('agent:connect'),
      schema: {
        security: [],
        description: 'WebSocket with a client certificate of this center; messages: lib/protocol/messages.ts',
        response: { 426: errorSchema },
      },
    },
    async (_request, reply) =>
      reply
        .code(426)
        .header('upgrade', 'websocket')
        .send({ code: 'api.bad-request', message: 'agents connect here by WebSocket', details: {} }),
  )
}
