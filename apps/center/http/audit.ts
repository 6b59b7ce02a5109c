/** Records each administrator's action that changes something, chained by hash: before the answer goes out, so that no answer exists without its record. */
import { sha256Hex } from '@hyperward/os'
import { addAudit, type Store } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'

import { isAudited } from './actions.ts'

export function addAuditRecords(app: FastifyInstance, store: Store, clock: () => Date): void {
  app.addHook('onSend', async (request, reply) => {
    const action = request.routeOptions.config.action
    if (action === undefined || !isAudited(action) || request.administrator === '') return
    const record = {
      at: clock(),
      who: request.administrator,
      action,
      // the path names what was acted on; bodies may hold a policy's text, and never go here
      target: request.url.slice(0, 500),
      outcome: reply.statusCode < 400 ? 'done' : `refused ${reply.statusCode}`,
    }
    await store.transaction((tx) =>
      addAudit(tx, record, (previous, id) =>
        sha256Hex(
          JSON.stringify([previous, id, record.at.toISOString(), record.who, action, record.target, record.outcome]),
        ),
      ),
    )
  })
}
