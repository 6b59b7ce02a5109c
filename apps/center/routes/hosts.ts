import { OperationError, parseHostName } from '@hyperward/model'
import { createEnrolmentToken, hashSecret } from '@hyperward/pki'
import {
  createHostSchema,
  enrolmentTokenSchema,
  hostRealizedSchema,
  hostsSchema,
  nameSchema,
  type ApiHost,
} from '@hyperward/protocol'
import { addEnrolmentToken, isEnrolled, readHosts, removeHost, type HostRow } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { tellMoves } from '../services/recorder.ts'
import type { Services } from '../services/services.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

export function addHostRoutes(app: FastifyInstance, services: Services): void {
  const { store, registry, ca, clock } = services
  typed(app).get(
    '/v1/hosts',
    {
      config: acts('host:read'),
      schema: { security: byAdministrator, response: { 200: hostsSchema, ...errorAnswers } },
    },
    async () => {
      const connected = registry.connected()
      return { hosts: (await readHosts(store)).map((row) => toApiHost(row, connected.has(row.name))) }
    },
  )

  typed(app).post(
    '/v1/hosts',
    {
      config: acts('host:enroll'),
      schema: {
        security: byAdministrator,
        body: createHostSchema,
        response: { 201: enrolmentTokenSchema, ...errorAnswers },
      },
    },
    async (request, reply) => {
      const host = parseHostName(request.body.name)
      if (host === null) {
        const message =
          'a host name has lower-case letters, digits, dots and hyphens, at most 63, and begins and ends with a letter or digit'
        throw new OperationError('api.bad-request', message)
      }
      const now = clock()
      const expiresAt = new Date(now.getTime() + (request.body.minutes ?? 60) * 60_000)
      const token = createEnrolmentToken(ca.fingerprint)
      await store.transaction((tx) => addEnrolmentToken(tx, { host, hash: hashSecret(token), now, expiresAt }))
      return reply.code(201).send({ host, token, expiresAt: expiresAt.toISOString() })
    },
  )

  typed(app).get(
    '/v1/hosts/:name/realized',
    {
      config: acts('host:read'),
      schema: {
        security: byAdministrator,
        params: z.strictObject({ name: nameSchema }),
        response: { 200: hostRealizedSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const { name } = request.params
      if (!(await isEnrolled(store, name))) throw new OperationError('api.not-found', `there is no host ${name}`)
      const connection = registry.find(name)
      if (connection === null)
        throw new OperationError('agent.not-connected', `${name} is not connected`, { host: name })
      const state = await connection.verify()
      const planned = services.publisher.hosts.find(name)
      return {
        ...state,
        host: name,
        planned: planned === null ? null : { revision: planned.revision, digest: planned.digest },
      }
    },
  )

  typed(app).delete(
    '/v1/hosts/:name',
    {
      config: acts('host:remove'),
      schema: {
        security: byAdministrator,
        params: z.strictObject({ name: nameSchema }),
        response: { 204: z.null(), ...errorAnswers },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      if (!(await removeHost(store, name))) throw new OperationError('api.not-found', `there is no host ${name}`)
      const moves = services.inventory.removeHost(name)
      services.publisher.hosts.forget(name)
      registry.find(name)?.cut('agent.unknown-host', 'this host was removed')
      services.publisher.onInventoryChange()
      await tellMoves(services.recorder, moves)
      return reply.code(204).send(null)
    },
  )
}

function toApiHost(row: HostRow, connected: boolean): ApiHost {
  return {
    name: row.name,
    createdAt: row.created_at.toISOString(),
    enrolledAt: row.enrolled_at?.toISOString() ?? null,
    connected,
    lastSeenAt: row.last_seen_at?.toISOString() ?? null,
    software: row.software,
    kernel: row.kernel,
    driver: row.driver,
    certificateEndsAt: row.certificate_ends_at?.toISOString() ?? null,
    plannedRevision: row.planned_revision,
    plannedDigest: row.planned_digest,
    heldRevision: row.held_revision,
    heldDigest: row.held_digest,
    inForce: row.planned_digest !== null && row.planned_digest === row.held_digest,
    drift: row.drift,
    rssBytes: row.rss_bytes,
    endpoints: { enforced: row.enforced, closed: row.closed },
  }
}
