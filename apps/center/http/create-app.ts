/** The HTTP side: one Fastify application, the same for production, tests and the OpenAPI document. */
import type { ServerOptions } from 'node:https'

import swagger from '@fastify/swagger'
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'

import { addEndpointRoutes } from '../routes/endpoints.ts'
import { addEnrollRoute } from '../routes/enroll.ts'
import { addHostRoutes } from '../routes/hosts.ts'
import { addMigrationRoutes } from '../routes/migrations.ts'
import { addObservedRoutes } from '../routes/observed.ts'
import { addPolicyRoutes } from '../routes/policy.ts'
import { addQuestionRoutes } from '../routes/questions.ts'
import { addRuleRoutes } from '../routes/rules.ts'
import { addStatusRoute } from '../routes/status.ts'
import type { Services } from '../services/services.ts'
import { addAuditRecords } from './audit.ts'
import { addAuthorization } from './authorize.ts'
import { addErrorReplies } from './error-reply.ts'
import { refuseNul } from './refuse-nul.ts'

export const apiVersion = '1.0.0'

export async function createApp(
  services: Services,
  options: { readonly https: ServerOptions | null; readonly logger: FastifyBaseLogger },
): Promise<FastifyInstance> {
  const app = fastify({
    https: options.https,
    loggerInstance: options.logger,
    // requests are logged by us, without query and headers
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance // the rest asks for nothing that differs between http and https
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  addErrorReplies(app)
  addAuthorization(app, services.store, services.clock)
  addAuditRecords(app, services.store, services.clock)
  refuseNul(app)
  app.addHook('onResponse', (request, reply, done) => {
    request.log.debug(
      { method: request.method, route: request.routeOptions.url, status: reply.statusCode, ms: reply.elapsedTime },
      'request',
    )
    done()
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Hyperward center', version: apiVersion, license: { name: 'Apache-2.0' } },
      components: { securitySchemes: { administrator: { type: 'http', scheme: 'bearer' } } },
    },
    transform(route) {
      const { schema, url } = jsonSchemaTransform(route)
      return { url, schema: { ...schema, 'x-action': route.route.config?.action } }
    },
    transformObject: jsonSchemaTransformObject,
  })
  await app.register(async (routes) => {
    addStatusRoute(routes, services)
    addHostRoutes(routes, services)
    addEndpointRoutes(routes, services)
    addMigrationRoutes(routes, services)
    addPolicyRoutes(routes, services)
    addQuestionRoutes(routes, services)
    addRuleRoutes(routes, services)
    addObservedRoutes(routes, services)
    addEnrollRoute(routes, services)
  })
  await app.ready()
  return app
}
