/** Questions about a policy over the present inventory, the recorded flows and the counters. Writes nothing. */
import { OperationError, type Address, type RuleRef } from '@hyperward/model'
import {
  lintPolicy,
  proveGuarantees,
  reachOf,
  recommend,
  simulate,
  tellProof,
  tellReach,
  toFlowRecords,
  type Compilation,
  type RuleUse,
  type SeenFlow,
} from '@hyperward/policy'
import type {
  ApiProveResult,
  ApiReachResult,
  ApiRecommendation,
  ApiSimulation,
  ApiDiagnostic,
} from '@hyperward/protocol'
import { readFlows, readRuleCounts } from '@hyperward/store'

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
const changesLimit = 1000

export function createPolicyQuestions(
  services: Pick<Services, 'store' | 'publisher' | 'inventory' | 'clock'>,
): PolicyQuestions {
  const { store, publisher, inventory, clock } = services

  const compiledOf = async (
    asked: Candidate | null | 'published',
  ): Promise<{ readonly compiled: Compilation; readonly warnings: readonly ApiDiagnostic[] }> => {
    if (asked === 'published') return { compiled: inForce(), warnings: [] }
    const { compiled, warnings } = await publisher.compileCandidate(asked)
    return { compiled, warnings: warnings.map((each) => ({ ...each })) }
  }

  const inForce = (): Compilation => {
    const compiled = publisher.compiled()
    if (compiled !== null) return compiled
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
    async prove(asked) {
      const { compiled, warnings } = await compiledOf(asked)
      return { guarantees: proveGuarantees(compiled.resolved).map(tellProof), warnings: [...warnings] }
    },
    async reach(asked, addresses) {
      const { compiled, warnings } = await compiledOf(asked)
      const { incoming, outgoing } = reachOf(compiled.resolved, addresses)
      return {
        addresses: [...addresses],
        incoming: incoming.map((entry) => tellReach(entry, peersLimit)),
        outgoing: outgoing.map((entry) => tellReach(entry, peersLimit)),
        warnings: [...warnings],
      }
    },
    async lint(asked) {
      const { compiled } = await compiledOf(asked)
      const counts = await readRuleCounts(store)
      // refs of the store were given to hosts by a center
      const hits = new Map<RuleRef, RuleUse>(
        counts.map((row) => [row.rule as RuleRef, { hits: row.hits, since: null }]),
      )
      return lintPolicy(compiled.resolved, { now: clock().getTime(), hits }).map((each) => ({ ...each }))
    },
    async simulate(candidate, { recorded, ...selection }) {
      const { compiled, warnings } = await compiledOf(candidate)
      const seen = await readSeen(selection)
      const before = recorded ? null : inForce().resolved
      const { changes, vms, tenants, changed, ...told } = simulate(before, compiled.resolved, toFlowRecords(seen))
      return {
        ...told,
        changed: { ...changed },
        flows: seen.length,
        changes: changes.slice(0, changesLimit).map((each) => ({
          ...each,
          source: { ...each.source },
          destination: { ...each.destination },
          before: { ...each.before },
          after: { ...each.after },
        })),
        more: Math.max(0, changes.length - changesLimit),
        vms: [...vms],
        tenants: [...tenants],
        warnings: [...warnings],
      }
    },
    async recommend({ generalize, share, includeRefused, ...selection }) {
      const seen = await readSeen(selection)
      const options = {
        generalize,
        ...(share === undefined ? {} : { share }),
        ...(includeRefused === undefined ? {} : { includeRefused }),
      }
      return { ...recommend(inventory.inventory(), toFlowRecords(seen), options), flows: seen.length }
    },
  }
}

/** VMs named at one end of a reach entry. */
const peersLimit = 100
