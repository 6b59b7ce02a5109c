import { toRuleOrigin, type Policy } from '@hyperward/model'
import { rulesSchema, type ApiRuleHits } from '@hyperward/protocol'
import { readRuleCounts, type RuleCountRow } from '@hyperward/store'
import type { FastifyInstance } from 'fastify'

import type { Services } from '../services/services.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

export function addRuleRoutes(app: FastifyInstance, services: Services): void {
  typed(app).get(
    '/v1/rules',
    {
      config: acts('rule:read'),
      schema: { security: byAdministrator, response: { 200: rulesSchema, ...errorAnswers } },
    },
    async () => ({
      revision: services.publisher.revision(),
      rules: toRuleHits(services.publisher.policy(), await readRuleCounts(services.store)),
    }),
  )
}

function toRuleHits(policy: Policy | null, counts: readonly RuleCountRow[]): ApiRuleHits[] {
  const left = new Map(counts.map((row) => [row.rule, row]))
  const hits: ApiRuleHits[] = []
  for (const rule of policy?.rules ?? []) {
    const { ref, tier, tenant, policy: document, name, action } = rule
    hits.push({ rule: { ref, tier, tenant, policy: document, name }, action, ...toCounts(left.get(ref)) })
    left.delete(ref)
  }
  for (const row of left.values())
    hits.push({ rule: toRuleOrigin(row.rule), action: toKnownAction(row.rule), ...toCounts(row) })
  return hits
}

function toCounts(row: RuleCountRow | undefined): Omit<ApiRuleHits, 'rule' | 'action'> {
  return {
    hits: row?.hits ?? 0,
    packets: row?.packets ?? 0,
    bytes: row?.bytes ?? 0,
    lastHitAt: row?.hit_at?.toISOString() ?? null,
  }
}

/** What is built in never leaves; a rule that left the policy has no action any more. */
function toKnownAction(ref: string): 'drop' | null {
  return ref.startsWith('builtin:') ? 'drop' : null
}
