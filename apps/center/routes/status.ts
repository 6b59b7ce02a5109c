import { statusSchema } from '@hyperward/protocol'
import { readEndpointStatus, readHosts } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'

import type { Services } from '../services/services.ts'
import { toApiEndpoints } from './endpoints.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

export function addStatusRoute(app: FastifyInstance, services: Services): void {
  typed(app).get(
    '/v1/status',
    {
      config: acts('status:read'),
      schema: { security: byAdministrator, response: { 200: statusSchema, ...errorAnswers } },
    },
    async () => {
      const { store, registry, publisher, inventory, clock } = services
      const hosts = await readHosts(store)
      const endpoints = toApiEndpoints(inventory, await readEndpointStatus(store), hosts)
      const count = (state: string): number => endpoints.filter((endpoint) => endpoint.state === state).length
      return {
        center: services.centerName,
        software: services.software,
        startedAt: services.startedAt.toISOString(),
        time: clock().toISOString(),
        store: { kind: store.kind, serverVersion: store.serverVersion, schema: store.schema },
        revision: publisher.revision(),
        hosts: {
          total: hosts.length,
          connected: registry.connected().size,
          inForce: hosts.filter((host) => host.planned_digest !== null && host.held_digest === host.planned_digest)
            .length,
        },
        endpoints: { enforced: count('enforced'), closed: count('closed'), unreported: count('unreported') },
        inventoryProblem: publisher.inventoryProblem(),
        brokenGuarantees: [...publisher.brokenGuarantees()],
      }
    },
  )
}
