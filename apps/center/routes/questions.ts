/** Questions about a policy: each is answered from the present inventory, and writes nothing. */
import { OperationError, parseAddress, type Address } from '@hyperward/model'
import {
  lintResultSchema,
  proveResultSchema,
  questionSchema,
  reachQuestionSchema,
  reachResultSchema,
  recommendationSchema,
  recommendSchema,
  simulateSchema,
  simulationSchema,
} from '@hyperward/protocol'
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'

import { createPolicyQuestions } from '../services/policy-questions.ts'
import type { Candidate } from '../services/publisher.ts'
import type { Services } from '../services/services.ts'
import { bodyLimit, toCandidate } from './candidate.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

export function addQuestionRoutes(app: FastifyInstance, services: Services): void {
  const questions = createPolicyQuestions(services)

  typed(app).post(
    '/v1/policy/prove',
    {
      config: acts('policy:read'),
      bodyLimit,
      schema: {
        security: byAdministrator,
        body: questionSchema,
        response: { 200: proveResultSchema, ...errorAnswers },
      },
    },
    async (request) => questions.prove(toAsked(request.body)),
  )

  typed(app).post(
    '/v1/policy/reach',
    {
      config: acts('policy:read'),
      bodyLimit,
      schema: {
        security: byAdministrator,
        body: reachQuestionSchema,
        response: { 200: reachResultSchema, ...errorAnswers },
      },
    },
    async (request) => questions.reach(toAsked(request.body), toAddresses(request.body, services)),
  )

  typed(app).post(
    '/v1/policy/lint',
    {
      config: acts('policy:read'),
      bodyLimit,
      schema: { security: byAdministrator, body: questionSchema, response: { 200: lintResultSchema, ...errorAnswers } },
    },
    async (request) => ({ findings: [...(await questions.lint(toAsked(request.body)))] }),
  )

  typed(app).post(
    '/v1/policy/simulate',
    {
      config: acts('simulation:read'),
      bodyLimit,
      schema: { security: byAdministrator, body: simulateSchema, response: { 200: simulationSchema, ...errorAnswers } },
    },
    async (request) => {
      const { text, file, recorded = false, ...selection } = request.body
      return questions.simulate(toCandidate({ text, file }), { ...selection, recorded })
    },
  )

  typed(app).post(
    '/v1/policy/recommend',
    {
      config: acts('simulation:read'),
      schema: {
        security: byAdministrator,
        body: recommendSchema,
        response: { 200: recommendationSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const { generalize = 'exact', share, includeRefused, ...selection } = request.body
      return questions.recommend({
        ...selection,
        generalize,
        ...(share === undefined ? {} : { share }),
        ...(includeRefused === undefined ? {} : { includeRefused }),
      })
    },
  )
}

function toAsked(body: z.infer<typeof questionSchema>): Candidate | null | 'published' {
  const candidate = toCandidate(body)
  return candidate === null && body.policy === 'published' ? 'published' : candidate
}

function toAddresses(body: z.infer<typeof reachQuestionSchema>, { inventory }: Services): readonly Address[] {
  if (body.vm === undefined) {
    const address = parseAddress(body.address ?? '')
    if (address === null) throw new OperationError('api.bad-request', 'address: not an IP address')
    return [address]
  }
  const found = inventory.vm(body.vm.toLowerCase())
  if (found === null) throw new OperationError('api.not-found', `no host reports a VM ${body.vm}`)
  return found.vm.endpoints.flatMap((endpoint) => endpoint.addresses)
}
