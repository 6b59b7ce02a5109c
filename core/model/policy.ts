import type { Prefix } from './address.ts'
import type { SourcePlace } from './diagnostic.ts'
import type { GroupName, RuleRef, TenantName, Tier } from './ids.ts'
import type { Service } from './service.ts'

/** A parsed, validated policy: names are resolved to qualified names, order is final. */
export interface Policy {
  readonly tenants: readonly TenantName[]
  readonly groups: readonly Group[]
  /** Every rule of every tier. Inside one tier and tenant, the order here is the order of evaluation. */
  readonly rules: readonly Rule[]
}

export interface Group {
  readonly name: GroupName
  /** The tenant whose endpoints a label selector can see; null = the provider's, which sees all. */
  readonly tenant: TenantName | null
  readonly selector: Selector
  /** Where it was written, for diagnostics that need more than the document (an inventory). */
  readonly written?: GroupPlaces
}

export interface GroupPlaces {
  readonly path: string
  readonly place: SourcePlace
  readonly labels: Readonly<Record<string, { readonly path: string; readonly place: SourcePlace }>>
}

/** Members are addresses: those of the endpoints a label selector fills in, or all inside the networks (an endpoint's too). */
export type Selector =
  | {
      readonly kind: 'labels'
      /** Whose endpoints; null = every tenant's (provider groups only). */
      readonly tenants: readonly TenantName[] | null
      /** All of these keys, each with one of its values; none = every endpoint. */
      readonly labels: Readonly<Record<string, readonly string[]>>
    }
  | { readonly kind: 'networks'; readonly networks: readonly Prefix[] }
  | { readonly kind: 'groups'; readonly groups: readonly GroupName[] }

export type Action = 'allow' | 'drop' | 'reject'
export type Direction = 'ingress' | 'egress'
export type RuleTier = Exclude<Tier, 'builtin'>

/** A side of a rule: everything, or the union of groups. An empty list matches nothing. */
export type RuleSide = { readonly kind: 'any' } | { readonly kind: 'groups'; readonly groups: readonly GroupName[] }

export interface Rule {
  readonly ref: RuleRef
  readonly tier: RuleTier
  /** Whose endpoints the rule is enforced at; null = all (provider tiers). */
  readonly tenant: TenantName | null
  readonly policy: string
  readonly name: string
  readonly source: RuleSide
  readonly destination: RuleSide
  readonly service: Service
  /** Where it is enforced: at the source's endpoint (`egress`), at the destination's (`ingress`), or at both. */
  readonly directions: readonly Direction[]
  readonly action: Action
  readonly log: boolean
  /** Where it was written. */
  readonly place?: SourcePlace
}
