/** Questions about a policy: each is answered from the present inventory, and writes nothing. */
import {
  lintResultSchema,
  proveResultSchema,
  questionSchema,
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
