import type { Prefix } from './address.ts'
import type { SourcePlace } from './diagnostic.ts'
import type { GroupName, RuleRef, TenantName, Tier } from './ids.ts'
import type { Schedule } from './schedule.ts'
import type { Service } from './service.ts'

/** A parsed, validated policy: names are resolved to qualified names, order is final. */
export interface Policy {
  readonly tenants: readonly TenantName[]
  readonly groups: readonly Group[]
  /** Every rule of every tier. Inside one tier and tenant, the order here is the order of evaluation. */
  readonly rules: readonly Rule[]
  readonly guarantees: readonly Guarantee[]
  /** Named and never referred to; absent = none. Of groups `groups` tells. */
  readonly unused?: readonly UnusedName[]
  /** What `activeAt` left out of `rules` at its time, and why; absent in a policy as parsed. */
  readonly inactive?: readonly InactiveRule[]
}

export interface UnusedName {
  readonly thing: 'service' | 'schedule' | 'profile'
  readonly name: GroupName
  readonly path: string
  readonly place: SourcePlace
}

export interface Group {
  readonly name: GroupName
  /** The tenant whose endpoints a selector can see; null = the provider's, which sees all. */
  readonly tenant: TenantName | null
  readonly selector: Selector
  /** Written inside a rule, without a name of its own. */
  readonly inline?: true
  /** Where it was written, for diagnostics that need more than the document (an inventory). */
  readonly written?: GroupPlaces
}

export interface GroupPlaces {
  readonly path: string
  readonly place: SourcePlace
  readonly labels: Readonly<Record<string, { readonly path: string; readonly place: SourcePlace }>>
  /** Of the criteria over names, operating systems, hosts and segments; absent = there is none. */
  readonly texts?: Readonly<Partial<Record<TextCriterion, { readonly path: string; readonly place: SourcePlace }>>>
}

/** Members are addresses: those of the endpoints that a selector of endpoints fills in, or all inside the networks (an endpoint's too). */
export type Selector =
  | {
      readonly kind: 'endpoints'
      /** Whose endpoints; null = every tenant's (provider groups only). */
      readonly tenants: readonly TenantName[] | null
      /** All must hold; none = every endpoint. */
      readonly criteria: readonly Criterion[]
    }
  | {
      readonly kind: 'networks'
      readonly networks: readonly Prefix[]
      /** Addresses inside any of these are no members, whatever `networks` says. */
      readonly except: readonly Prefix[]
    }
  | { readonly kind: 'groups'; readonly groups: readonly GroupName[]; readonly except: readonly GroupName[] }

export type Criterion =
  /** The label is there with one of the values; negated: it is not there, or has another value. */
  | {
      readonly kind: 'label'
      readonly key: string
      readonly values: readonly string[]
      readonly negated: boolean
    }
  | { readonly kind: 'label-exists'; readonly key: string; readonly negated: boolean }
  /** One of the patterns matches: `*` any run of characters, `?` one. What is not known (no operating system told) matches no pattern. */
  | { readonly kind: TextCriterion; readonly patterns: readonly string[]; readonly negated: boolean }

/** VM name; operating system as the inventory tells it; host it runs on; virtual network the endpoint is plugged into. */
export type TextCriterion = 'name' | 'os' | 'host' | 'segment'

/** What is done with a connection. `allow-stateless`: each packet is judged by itself, replies too. `inspect`: through the gateway, under a profile. */
export type Action = 'allow' | 'allow-stateless' | 'drop' | 'reject' | 'inspect'
/** `pass` hands to the next tier; it never reaches a plan. */
export type RuleAction = Action | 'pass'
export type Direction = 'ingress' | 'egress'
export type RuleTier = Exclude<Tier, 'builtin'>

/** A side of a rule: everything, or the union of groups, without the members of the groups in `except`. An empty list of groups matches nothing. */
export type RuleSide =
  | { readonly kind: 'any'; readonly except: readonly GroupName[] }
  | { readonly kind: 'groups'; readonly groups: readonly GroupName[]; readonly except: readonly GroupName[] }

export interface Rule {
  readonly ref: RuleRef
  readonly tier: RuleTier
  /** Whose endpoints the rule is enforced at; null = all (provider tiers). */
  readonly tenant: TenantName | null
  readonly policy: string
  readonly name: string
  readonly description?: string
  readonly source: RuleSide
  readonly destination: RuleSide
  readonly service: Service
  /** Where it is enforced: at the source's endpoint (`egress`), at the destination's (`ingress`), or at both. */
  readonly directions: readonly Direction[]
  /** Only endpoints in this are asked; absent = every one. */
  readonly appliedTo?: RuleSide
  readonly action: RuleAction
  /** Of `inspect`, and only of it: the gateway profile, qualified like a group. */
  readonly profile?: GroupName
  readonly log: boolean
  /** Connections told a second and host at most; absent = the datapath's own bound. */
  readonly logRate?: number
  /** Counts and tells what it would decide, and decides nothing. */
  readonly monitor: boolean
  readonly schedule?: Schedule
  /** Milliseconds since 1970 UTC from which the rule holds no more. */
  readonly expires?: number
  readonly labels?: Readonly<Record<string, string>>
  /** What made it, when it was not written as a rule. */
  readonly origin?: 'exclusion' | 'default'
  /** Where it was written. */
  readonly place?: SourcePlace
}

export interface InactiveRule {
  readonly rule: Rule
  /** Its ordinal among all rules of the policy as parsed. */
  readonly ordinal: number
  readonly reason: 'expired' | 'schedule'
}

/** A statement over every packet of which one end at least is an endpoint; the fate is that of both sides together. */
export interface Guarantee {
  /** `<tenant>/<name>`, or `/<name>` for the provider's. */
  readonly name: GroupName
  readonly tenant: TenantName | null
  readonly description?: string
  /** `never`: no such connection passes. `always`: each passes. `only-through`: each that passes does so by `inspect`. */
  readonly kind: 'never' | 'always' | 'only-through'
  readonly source: RuleSide
  readonly destination: RuleSide
  readonly service: Service
  /** Of `only-through`: the profile it must be; absent = any. */
  readonly profile?: GroupName
  readonly path: string
  readonly place: SourcePlace
}
