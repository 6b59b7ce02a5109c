/** Questions about a policy over the present inventory, the recorded flows and the counters. Writes nothing. */
import { OperationError, type Address, type Policy, type RuleRef } from '@hyperward/model'
import type { recommend, SeenFlow } from '@hyperward/policy'
import type {
  ApiDiagnostic,
  ApiProveResult,
  ApiReachResult,
  ApiRecommendation,
  ApiSimulation,
} from '@hyperward/protocol'
import { readFlows, readRuleCounts } from '@hyperward/store'

import type { AskedPolicy } from '../policy/answer-question.ts'
import type { Candidate } from './publisher.ts'
import { toApiFlow } from './recorder.ts'
import type { Services } from './services.ts'

export interface FlowSelection {
  readonly sinceTime?: string | undefined
  readonly host?: string | undefined
  readonly tenant?: string | undefined
  readonly most?: number | undefined
}

export interface PolicyQuestions {
  /** `published`: of what is in force, whatever the candidate. */
  prove(candidate: Candidate | null | 'published'): Promise<ApiProveResult>
  /** Of these addresses together. */
  reach(candidate: Candidate | null | 'published', addresses: readonly Address[]): Promise<ApiReachResult>
  lint(candidate: Candidate | null | 'published'): Promise<readonly ApiDiagnostic[]>
  simulate(
    candidate: Candidate | null,
    selection: FlowSelection & { readonly recorded: boolean },
  ): Promise<ApiSimulation>
  recommend(options: FlowSelection & Parameters<typeof recommend>[2]): Promise<ApiRecommendation>
}

const defaultFlows = 100_000

export function createPolicyQuestions(
  services: Pick<Services, 'store' | 'publisher' | 'inventory' | 'clock' | 'questionWorker'>,
): PolicyQuestions {
  const { store, publisher, inventory, clock, questionWorker: worker } = services

  const toAsk = async (asked: Candidate | null | 'published') => {
    const policy: AskedPolicy =
      asked === 'published'
        ? { kind: 'policy', policy: inForce() }
        : { kind: 'text', ...(await publisher.chosen(asked)), nowMs: clock().getTime() }
    return { policy, inventory: inventory.inventory() }
  }

  const inForce = (): Policy => {
    const compiled = publisher.compiled()
    if (compiled !== null) return compiled.resolved.policy
    throw new OperationError(
      'policy.nothing-published',
      'no policy is in force yet: everything is dropped; publish one first',
    )
  }

  const readSeen = async ({
    sinceTime,
    host,
    tenant,
    most = defaultFlows,
  }: FlowSelection): Promise<readonly SeenFlow[]> =>
    (await readFlows(store, { sinceTime, host, tenant, limit: most })).map(toApiFlow)

  return {
    prove: async (asked) => worker.ask('prove', { ...(await toAsk(asked)), nowMs: clock().getTime() }),
    reach: async (asked, addresses) => worker.ask('reach', { ...(await toAsk(asked)), addresses }),
    async lint(asked) {
      // refs of the store were given to hosts by a center
      const hits = (await readRuleCounts(store)).map((row) => [row.rule as RuleRef, row.hits] as const)
      return worker.ask('lint', { ...(await toAsk(asked)), nowMs: clock().getTime(), hits })
    },
    async simulate(candidate, { recorded, ...selection }) {
      const ask = await toAsk(candidate)
      const before = recorded ? null : inForce()
      return worker.ask('simulate', { ...ask, before, flows: await readSeen(selection) })
    },
    async recommend({ generalize, share, includeRefused, ...selection }) {
      const flows = await readSeen(selection)
      const options = {
        generalize,
        ...(share === undefined ? {} : { share }),
        ...(includeRefused === undefined ? {} : { includeRefused }),
      }
      return worker.ask('recommend', { inventory: inventory.inventory(), flows, options })
    },
  }
}
