/** Every failure → status and the one error body. What is not known here is a defect: logged with the request's id, told as `api.internal` without its words. */
import { OperationError, type OperationErrorCode } from '@hyperward/model'
import type { ApiError } from '@hyperward/protocol'
import type { FastifyError, FastifyInstance } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'

import { PolicyInvalid } from '../policy/policy-invalid.ts'

const statuses: Partial<Record<OperationErrorCode, number>> = {
  'agent.no-answer': 504,
  'agent.not-connected': 409,
  'api.bad-request': 400,
  'api.forbidden': 403,
  'api.not-found': 404,
  'api.too-large': 413,
  'api.unauthenticated': 401,
  'enroll.token-refused': 403,
  'migration.refused': 409,
  'pki.csr-invalid': 400,
  'policy.draft-conflict': 409,
  'policy.guarantee-broken': 409,
  'policy.invalid': 422,
  'policy.no-draft': 409,
  'policy.nothing-published': 409,
  'policy.plan-too-large': 409,
  'policy.question-too-long': 422,
  'policy.revision-conflict': 409,
  'policy.too-many-rows': 409,
  'store.no-space': 507,
  'store.unavailable': 503,
}

export function addErrorReplies(app: FastifyInstance): void {
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(toBody(new OperationError('api.not-found', 'there is no such route'))),
  )
  app.setErrorHandler((error: FastifyError | OperationError, request, reply) => {
    const known = error instanceof OperationError ? error : toKnown(error)
    const status = known === null ? undefined : statuses[known.code]
    if (known !== null && status !== undefined) return reply.code(status).send(toBody(known))
    request.log.error({ err: error }, 'request failed')
    const message = `the center failed on this request; its log has the details under request ${request.id}`
    return reply.code(500).send(toBody(new OperationError('api.internal', message, { request: request.id })))
  })
}

function toKnown(error: FastifyError): OperationError | null {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const place = error.validationContext ?? 'request'
    const said = error.validation.map((issue) => `${issue.instancePath.replace(/^\//, '') || place}: ${issue.message}`)
    return new OperationError('api.bad-request', said.join('; '))
  }
  if (error.statusCode === 413) return new OperationError('api.too-large', error.message)
  // Fastify's own refusals (malformed JSON, unknown content type) carry a 4xx status
  const isRefusal = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
  return isRefusal ? new OperationError('api.bad-request', error.message) : null
}

function toBody(error: OperationError): ApiError {
  const body: ApiError = { code: error.code, message: error.message, details: error.details }
  if (!(error instanceof PolicyInvalid)) return body
  return { ...body, diagnostics: error.diagnostics.map((each) => ({ ...each })) }
}
