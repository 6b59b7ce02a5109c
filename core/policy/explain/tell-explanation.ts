/** An explanation in the form of the API: the center tells it, and so does a CLI that has files and no center. The arrays are made for the caller. */
import {
  type Action,
  type Direction,
  type EndpointId,
  type HostName,
  type RuleAction,
  type RuleOrigin,
  type TenantName,
  toRuleOrigin,
} from '@hyperward/model'

import type { ExplainedAddress, Explanation } from './explain.ts'
import type { RuleOutcome } from './walk-rules.ts'

export interface ToldParty {
  readonly address: string
  readonly identity: number
  readonly endpoint: EndpointId | null
  readonly vmName: string | null
  readonly tenant: TenantName | null
  readonly host: HostName | null
}

export interface ToldStep {
  readonly rule: RuleOrigin
  readonly action: RuleAction
  readonly outcome: RuleOutcome
  readonly wouldMatch: boolean
}

export interface ToldSide {
  readonly direction: Direction
  readonly endpoint: EndpointId
  readonly decided: { readonly action: Action; readonly rule: RuleOrigin }
  readonly profile: string | null
  readonly monitor: RuleOrigin | null
  readonly walk: ToldStep[]
}

export interface ToldExplanation {
  readonly action: Action
  readonly source: ToldParty
  readonly destination: ToldParty
  readonly sides: ToldSide[]
}

export function tellExplanation({ source, destination, sides, verdict }: Explanation): ToldExplanation {
  return {
    // between two addresses that are nobody's endpoint nothing of ours decides, and nothing is said to be allowed
    action: verdict === 'not-enforced' ? 'drop' : verdict,
    source: toParty(source),
    destination: toParty(destination),
    sides: sides.map(({ direction, endpoint, action, ref, profile, monitor, walk }) => ({
      direction,
      endpoint,
      decided: { action, rule: toRuleOrigin(ref) },
      profile,
      monitor: monitor === null ? null : toRuleOrigin(monitor.ref),
      walk: walk.map(({ rule, outcome, wouldMatch }) => ({
        rule: toRuleOrigin(rule.ref),
        action: rule.action,
        outcome,
        wouldMatch,
      })),
    })),
  }
}

function toParty({ address, identity, endpoint, vmName, tenant, host }: ExplainedAddress): ToldParty {
  return { address, identity, endpoint, vmName, tenant, host }
}
