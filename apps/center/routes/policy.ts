import { OperationError, parseAddress, type Packet } from '@hyperward/model'
import {
  candidateSchema,
  diffResultSchema,
  draftSchema,
  explainResultSchema,
  explainSchema,
  planResultSchema,
  publicationSchema,
  publicationsSchema,
  publishedSchema,
  publishResultSchema,
  publishSchema,
  putDraftSchema,
  type ApiDraft,
} from '@hyperward/protocol'
import { readDraft, readPublications, readPublished } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { readPublication } from '../services/read-publication.ts'
import type { Services } from '../services/services.ts'
import { bodyLimit, defaultFile, toCandidate } from './candidate.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

export function addPolicyRoutes(app: FastifyInstance, services: Services): void {
  const { store, publisher } = services
  // the YAML itself is as good as JSON around it
  for (const type of ['text/yaml', 'application/yaml', 'application/x-yaml']) {
    app.addContentTypeParser(type, { parseAs: 'string', bodyLimit }, (_request, text, done) => done(null, { text }))
  }

  typed(app).get(
    '/v1/policy/draft',
    {
      config: acts('policy:read'),
      schema: { security: byAdministrator, response: { 200: draftSchema, ...errorAnswers } },
    },
    async () => {
      return toApiDraft(await readDraft(store), [])
    },
  )

  typed(app).put(
    '/v1/policy/draft',
    {
      config: acts('policy:draft'),
      bodyLimit,
      schema: {
        security: byAdministrator,
        consumes: ['application/json', 'text/yaml'],
        body: putDraftSchema,
        response: { 200: draftSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const { text, file } = request.body
      const warnings = await publisher.storeDraft({ text, file: file ?? defaultFile }, request.administrator)
      return toApiDraft(await readDraft(store), [...warnings])
    },
  )

  typed(app).get(
    '/v1/policy/published',
    {
      config: acts('policy:read'),
      schema: { security: byAdministrator, response: { 200: publishedSchema, ...errorAnswers } },
    },
    async () => {
      const row = await readPublished(store)
      return {
        revision: row?.revision ?? 0,
        text: row?.body ?? null,
        digest: row?.policy_digest ?? null,
        publishedAt: row?.published_at.toISOString() ?? null,
        publishedBy: row?.published_by ?? null,
      }
    },
  )

  typed(app).post(
    '/v1/policy/plan',
    {
      config: acts('policy:read'),
      bodyLimit,
      schema: {
        security: byAdministrator,
        body: candidateSchema,
        response: { 200: planResultSchema, ...errorAnswers },
      },
    },
    async (request) => publisher.plan(toCandidate(request.body)),
  )

  typed(app).post(
    '/v1/policy/diff',
    {
      config: acts('policy:read'),
      bodyLimit,
      schema: {
        security: byAdministrator,
        body: candidateSchema,
        response: { 200: diffResultSchema, ...errorAnswers },
      },
    },
    async (request) => publisher.diff(toCandidate(request.body)),
  )

  typed(app).post(
    '/v1/policy/publish',
    {
      config: acts('policy:publish'),
      schema: {
        security: byAdministrator,
        body: publishSchema,
        response: { 200: publishResultSchema, ...errorAnswers },
      },
    },
    async (request) => publisher.publish(request.body, request.administrator),
  )

  typed(app).get(
    '/v1/policy/publications',
    {
      config: acts('policy:read'),
      schema: { security: byAdministrator, response: { 200: publicationsSchema, ...errorAnswers } },
    },
    async () => {
      const publications = []
      for (const row of await readPublications(store, { latest: 100 })) {
        const { hosts: _hosts, ...summary } = await readPublication(row, services)
        publications.push(summary)
      }
      return { publications }
    },
  )

  typed(app).get(
    '/v1/policy/publications/:revision',
    {
      config: acts('policy:read'),
      schema: {
        security: byAdministrator,
        params: z.strictObject({ revision: z.coerce.number().int().positive() }),
        response: { 200: publicationSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const [row] = await readPublications(store, { revision: request.params.revision })
      if (row === undefined) {
        throw new OperationError('api.not-found', `revision ${request.params.revision} was never published`)
      }
      return readPublication(row, services)
    },
  )

  typed(app).post(
    '/v1/policy/explain',
    {
      config: acts('policy:read'),
      schema: {
        security: byAdministrator,
        body: explainSchema,
        response: { 200: explainResultSchema, ...errorAnswers },
      },
    },
    async (request) => publisher.explain(request.body.policy, toPacket(request.body)),
  )
}

function toApiDraft(row: Awaited<ReturnType<typeof readDraft>>, warnings: ApiDraft['warnings']): ApiDraft {
  return {
    text: row?.body ?? null,
    digest: row?.digest ?? null,
    storedAt: row?.stored_at.toISOString() ?? null,
    storedBy: row?.stored_by ?? null,
    warnings,
  }
}

function toPacket(body: z.infer<typeof explainSchema>): Packet {
  const source = parseAddress(body.source)
  const destination = parseAddress(body.destination)
  if (source === null || destination === null) {
    throw new OperationError('api.bad-request', `${source === null ? 'source' : 'destination'}: not an IP address`)
  }
  if (source.includes(':') !== destination.includes(':')) {
    throw new OperationError('api.bad-request', 'source and destination must be of one family')
  }
  const packet = { source, destination, protocol: body.protocol }
  return body.port === undefined ? packet : { ...packet, port: body.port }
}
