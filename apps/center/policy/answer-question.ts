/** Long questions about a policy → answers in the form of the API. Pure, and all of its input can be sent to another thread. */
import { type Address, type Diagnostic, type Inventory, type Policy, type RuleRef } from '@hyperward/model'
import {
  activeAt,
  lintPolicy,
  parsePolicy,
  proveGuarantees,
  reachOf,
  recommend,
  resolve,
  simulate,
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

interface Ask {
  readonly policy: AskedPolicy
  readonly inventory: Inventory
}

/** What each question needs, and its answer. */
export interface PolicyQuestionKinds {
  /** As core/policy tells them, for the publisher. */
  readonly guarantees: { readonly ask: Ask; readonly answer: readonly GuaranteeResult[] }
  readonly prove: { readonly ask: Ask; readonly answer: ApiProveResult }
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

type Answerers = {
  readonly [K in PolicyQuestionKind]: (ask: PolicyQuestionKinds[K]['ask']) => PolicyQuestionKinds[K]['answer']
}

/** Throws `PolicyInvalid` for a text with errors. */
export const answerers: Answerers = {
  guarantees: (ask) => proveGuarantees(toResolved(ask).resolved),
  prove(ask) {
    const { resolved, warnings } = toResolved(ask)
    return { guarantees: proveGuarantees(resolved).map(tellProof), warnings }
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
