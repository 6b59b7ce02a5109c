/** The walk of one packet through the rules at one side: each rule of every tier, in order, with what became of it. Straight from the language, with no classes. */
import type {
  Action,
  Direction,
  GroupName,
  InactiveRule,
  Packet,
  Policy,
  Rule,
  RuleTier,
  Service,
  TenantName,
} from '@hyperward/model'

import { sideHolds } from './group-membership.ts'

export type RuleOutcome =
  /** It decided. */
  | 'decides'
  /** It handed to the next tier. */
  | 'passes'
  /** In monitor mode: it would have decided or passed, and is only counted. */
  | 'monitors'
  /** It does not hold now: its date is over, or it is outside its schedule. */
  | 'expired'
  | 'off-schedule'
  /** It is enforced at the other end only; it is not applied to this endpoint. */
  | 'other-direction'
  | 'not-applied-here'
  | 'other-source'
  | 'other-destination'
  | 'other-service'
  /** Not looked at: an earlier rule decided, or passed its tier on. */
  | 'after-decision'
  | 'tier-passed'

export interface RuleStep {
  readonly rule: Rule
  readonly outcome: RuleOutcome
  /** It says the packet is its own, though it was not asked or does not hold now. */
  readonly wouldMatch: boolean
}

export interface RuleWalk {
  /** Every rule of the provider and of the endpoint's tenant, in order of evaluation. */
  readonly steps: readonly RuleStep[]
  /** Null = the default drop. */
  readonly rule: (Rule & { readonly action: Action }) | null
  /** The first rule in monitor mode that would have decided before it. */
  readonly monitor: Rule | null
}

export interface WalkedSide {
  readonly packet: Packet
  readonly direction: Direction
  /** Of the endpoint that is enforced. */
  readonly tenant: TenantName
  /** Groups of either address. */
  readonly source: ReadonlySet<GroupName>
  readonly destination: ReadonlySet<GroupName>
}

export function walkRules(policy: Policy, side: WalkedSide): RuleWalk {
  const steps: RuleStep[] = []
  let decided: RuleWalk['rule'] = null
  let monitor: Rule | null = null
  let passed: RuleTier | null = null
  for (const { rule, inactive } of rulesInOrder(policy)) {
    if (rule.tenant !== null && rule.tenant !== side.tenant) continue
    const mismatch = findMismatch(rule, side)
    const wouldMatch = mismatch === null
    const outcome = ((): RuleOutcome => {
      if (decided !== null) return 'after-decision'
      if (passed === rule.tier) return 'tier-passed'
      if (inactive !== null) return inactive === 'expired' ? 'expired' : 'off-schedule'
      if (mismatch !== null) return mismatch
      if (rule.monitor) return 'monitors'
      return rule.action === 'pass' ? 'passes' : 'decides'
    })()
    if (outcome === 'passes') passed = rule.tier
    // `pass` in monitor mode would have decided nothing by itself
    if (outcome === 'monitors' && rule.action !== 'pass') monitor ??= rule
    if (outcome === 'decides' && rule.action !== 'pass') decided = { ...rule, action: rule.action }
    steps.push({ rule, outcome, wouldMatch })
  }
  return { steps, rule: decided, monitor }
}

const tiers: readonly RuleTier[] = ['emergency', 'platform', 'tenant', 'baseline']

interface OrderedRule {
  readonly rule: Rule
  readonly inactive: InactiveRule['reason'] | null
}

/** By tier, then as written; those left out for the time stand where they were written. */
function rulesInOrder({ rules, inactive = [] }: Policy): readonly OrderedRule[] {
  const left = new Map(inactive.map((one) => [one.ordinal, one]))
  const all: OrderedRule[] = []
  const active = rules[Symbol.iterator]()
  for (let ordinal = 0; ordinal < rules.length + inactive.length; ordinal += 1) {
    const out = left.get(ordinal)
    if (out !== undefined) all.push({ rule: out.rule, inactive: out.reason })
    else {
      const next = active.next()
      if (next.done !== true) all.push({ rule: next.value, inactive: null })
    }
  }
  return tiers.flatMap((tier) => all.filter(({ rule }) => rule.tier === tier))
}

function findMismatch(rule: Rule, { packet, direction, source, destination }: WalkedSide): RuleOutcome | null {
  if (!rule.directions.includes(direction)) return 'other-direction'
  const local = direction === 'egress' ? source : destination
  if (rule.appliedTo !== undefined && !sideHolds(rule.appliedTo, local)) return 'not-applied-here'
  if (!sideHolds(rule.source, source)) return 'other-source'
  if (!sideHolds(rule.destination, destination)) return 'other-destination'
  return serviceHolds(rule.service, packet) ? null : 'other-service'
}

function serviceHolds(service: Service, { protocol, port = 0 }: Packet): boolean {
  if (service.kind === 'any') return true
  return service.entries.some(
    (entry) =>
      entry.protocol === protocol &&
      (entry.ranges.length === 0 || entry.ranges.some(({ from, to }) => from <= port && port <= to)),
  )
}
