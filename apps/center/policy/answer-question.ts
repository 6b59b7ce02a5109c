/** Long questions about a policy → answers in the form of the API. Pure, and all of its input can be sent to another thread. */
import type { Address, Diagnostic, HostPlan, Inventory, Packet, Policy, Revision, RuleRef } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import {
  activeAt,
  compile,
  explain,
  lintPolicy,
  listChanges,
  parsePolicy,
  proveAhead,
  proveGuarantees,
  reachOf,
  recommend,
  resolve,
  simulate,
  tellExplanation,
  tellProof,
  tellReach,
  toFlowRecords,
  validateAgainst,
  type GuaranteeResult,
  type ResolvedPolicy,
  type SeenFlow,
} from '@hyperward/policy'
import type {
  ApiDiagnostic,
  ApiDiffResult,
  ApiExplanation,
  ApiPlanResult,
  ApiProveResult,
  ApiReachResult,
  ApiRecommendation,
  ApiSimulation,
} from '@hyperward/protocol'

import { PolicyInvalid } from './policy-invalid.ts'

/** A text with the moment it is asked about, or a policy that holds as it is. */
export type AskedPolicy =
  | { readonly kind: 'text'; readonly text: string; readonly file: string; readonly nowMs: number }
  | { readonly kind: 'policy'; readonly policy: Policy }

export type PlanSummary = Omit<ApiPlanResult['hosts'][number], 'changed'>

interface Ask {
  readonly policy: AskedPolicy
  readonly inventory: Inventory
}

/** What each question needs, and its answer. */
export interface PolicyQuestionKinds {
  /** Whether it could be published, but for its guarantees. */
  readonly check: { readonly ask: Ask & { readonly revision: Revision }; readonly answer: ApiDiagnostic[] }
  readonly plan: {
    readonly ask: Ask & { readonly revision: Revision }
    readonly answer: {
      readonly hosts: readonly PlanSummary[]
      readonly warnings: ApiDiagnostic[]
      readonly compileMs: number
    }
  }
  /** `before`: null = nothing was allowed. */
  readonly diff: {
    readonly ask: Ask & { readonly before: Policy | null }
    readonly answer: Pick<ApiDiffResult, 'changes' | 'more' | 'warnings'>
  }
  readonly explain: { readonly ask: Ask & { readonly packet: Packet }; readonly answer: ApiExplanation }
  /** As core/policy tells them, for the publisher. */
  readonly guarantees: { readonly ask: Ask; readonly answer: readonly GuaranteeResult[] }
  readonly prove: { readonly ask: Ask & { readonly nowMs: number }; readonly answer: ApiProveResult }
  readonly reach: { readonly ask: Ask & { readonly addresses: readonly Address[] }; readonly answer: ApiReachResult }
  readonly lint: {
    readonly ask: Ask & { readonly nowMs: number; readonly hits: readonly (readonly [RuleRef, number])[] }
    readonly answer: readonly ApiDiagnostic[]
  }
  readonly simulate: {
    /** `before`: null = what was recorded. */
    readonly ask: Ask & { readonly before: Policy | null; readonly flows: readonly SeenFlow[] }
    readonly answer: ApiSimulation
  }
  readonly recommend: {
    readonly ask: {
      readonly inventory: Inventory
      readonly flows: readonly SeenFlow[]
      readonly options: Parameters<typeof recommend>[2]
    }
    readonly answer: ApiRecommendation
  }
}

export type PolicyQuestionKind = keyof PolicyQuestionKinds
export type PolicyQuestion = {
  readonly [K in PolicyQuestionKind]: { readonly kind: K } & PolicyQuestionKinds[K]['ask']
}[PolicyQuestionKind]

/** VMs named at one end of a reach entry. */
const peersLimit = 100
const changesLimit = 1000
const diffLimits = { changes: 200, members: 20 }
const emptyPolicy: Policy = { tenants: [], groups: [], rules: [], guarantees: [] }

type Answerers = {
  readonly [K in PolicyQuestionKind]: (ask: PolicyQuestionKinds[K]['ask']) => PolicyQuestionKinds[K]['answer']
}

/** Throws `PolicyInvalid` for a text with errors. */
export const answerers: Answerers = {
  check({ revision, ...ask }) {
    const { resolved, warnings } = toResolved(ask)
    compile(resolved, { revision, sha256: sha256Hex })
    return warnings
  },
  plan({ revision, ...ask }) {
    const begun = performance.now()
    const { resolved, warnings } = toResolved(ask)
    const { plans } = compile(resolved, { revision, sha256: sha256Hex })
    return { hosts: plans.map(toSummary), warnings, compileMs: performance.now() - begun }
  },
  diff({ before, ...ask }) {
    const { resolved, warnings } = toResolved(ask)
    return { ...listChanges(resolve(before ?? emptyPolicy, ask.inventory), resolved, diffLimits), warnings }
  },
  explain: ({ packet, ...ask }) => tellExplanation(explain(toResolved(ask).resolved, packet)),
  guarantees: (ask) => proveGuarantees(toResolved(ask).resolved),
  prove({ nowMs, ...ask }) {
    const { resolved, warnings } = toResolved(ask)
    const results = proveGuarantees(resolved)
    const ahead = proveAhead(resolved, results, { now: nowMs }).map((each) => ({ ...each }))
    return { guarantees: results.map(tellProof), warnings: [...warnings, ...ahead] }
  },
  reach({ addresses, ...ask }) {
    const { resolved, warnings } = toResolved(ask)
    const { incoming, outgoing } = reachOf(resolved, addresses)
    return {
      addresses: [...addresses],
      incoming: incoming.map((entry) => tellReach(entry, peersLimit)),
      outgoing: outgoing.map((entry) => tellReach(entry, peersLimit)),
      warnings,
    }
  },
  lint({ nowMs, hits, ...ask }) {
    const uses = new Map(hits.map(([ref, count]) => [ref, { hits: count, since: null }]))
    return lintPolicy(toResolved(ask).resolved, { now: nowMs, hits: uses }).map((each) => ({ ...each }))
  },
  simulate({ before, flows, ...ask }) {
    const { resolved, warnings } = toResolved(ask)
    const former = before === null ? null : resolve(before, ask.inventory)
    const { changes, vms, tenants, changed, ...told } = simulate(former, resolved, toFlowRecords(flows))
    return {
      ...told,
      changed: { ...changed },
      flows: flows.length,
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
      warnings,
    }
  },
  recommend: ({ inventory, flows, options }) => ({
    ...recommend(inventory, toFlowRecords(flows), options),
    flows: flows.length,
  }),
}

function toSummary(plan: HostPlan): PlanSummary {
  const { endpoints, addresses, networks, services, verdicts, rules } = plan.sections
  return {
    host: plan.host,
    digest: plan.digest,
    endpoints: endpoints.length,
    addresses: addresses.length,
    networks: networks.length,
    services: services.length,
    verdicts: verdicts.length,
    rules: rules.length,
  }
}

/** What is in force has been told with its doubts before: they are told of texts only. */
function toResolved({ policy: asked, inventory }: Ask): {
  readonly resolved: ResolvedPolicy
  readonly warnings: ApiDiagnostic[]
} {
  if (asked.kind === 'policy') return { resolved: resolve(asked.policy, inventory), warnings: [] }
  const parsed = parsePolicy(asked.text, asked.file)
  if (!parsed.ok) throw new PolicyInvalid(parsed.diagnostics)
  const resolved = resolve(activeAt(parsed.value, asked.nowMs), inventory)
  const doubts: readonly Diagnostic[] = [
    ...parsed.warnings,
    ...validateAgainst(resolved.policy, resolved.inventory),
    ...resolved.problems,
  ]
  return { resolved, warnings: doubts.map((each) => ({ ...each })) }
}
