import { OperationError } from '@hyperward/model'
import { migrateVmSchema, migrationSchema } from '@hyperward/protocol'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { Services } from '../services/services.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

const params = z.strictObject({ uuid: z.uuid() })

export function addMigrationRoutes(app: FastifyInstance, { migrations }: Services): void {
  typed(app).post(
    '/v1/vms/:uuid/migration',
    {
      config: acts('vm:migrate'),
      schema: {
        security: byAdministrator,
        description: 'Begins to move the VM to another host; `GET` tells how far it is.',
        params,
        body: migrateVmSchema,
        response: { 202: migrationSchema, ...errorAnswers },
      },
    },
    async (request, reply) => reply.code(202).send(await migrations.start(request.params.uuid, request.body)),
  )

  typed(app).get(
    '/v1/vms/:uuid/migration',
    {
      config: acts('endpoint:read'),
      schema: { security: byAdministrator, params, response: { 200: migrationSchema, ...errorAnswers } },
    },
    async (request) => {
      const found = migrations.find(request.params.uuid)
      if (found === null) throw new OperationError('api.not-found', 'no migration of that VM is known')
      return found
    },
  )
}
