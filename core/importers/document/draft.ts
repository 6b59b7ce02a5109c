/** What an importer makes before it is written as YAML: our language, with names not yet made fit and sets not yet given names. */
import type { Direction, SourcePlace } from '@hyperward/model'

import type { AddressSet } from './address-set.ts'
import type { ServiceSet } from './service-set.ts'

export type DraftSide =
  | { readonly kind: 'set'; readonly set: AddressSet }
  | { readonly kind: 'groups'; readonly groups: readonly string[] }

export interface DraftRule {
  readonly name: string
  readonly description?: string
  readonly from: DraftSide
  readonly to: DraftSide
  readonly service: ServiceSet
  readonly direction: Direction | 'both'
  /** Names of groups; absent = every endpoint of the tenant. */
  readonly appliedTo?: readonly string[]
  readonly action: 'allow' | 'allow-stateless' | 'drop' | 'reject'
  readonly log: boolean
  /** Line of the original, written beside the rule. */
  readonly place?: SourcePlace
}

export type DraftGroup =
  | { readonly name: string; readonly kind: 'labels'; readonly labels: readonly (readonly [string, string])[] }
  | { readonly name: string; readonly kind: 'networks'; readonly set: AddressSet }

export interface DraftPolicy {
  readonly name: string
  readonly rules: readonly DraftRule[]
}

export interface DraftTenant {
  readonly name: string
  readonly groups: readonly DraftGroup[]
  readonly policies: readonly DraftPolicy[]
}

/** A label that VMs must be given before the policy means anything. */
export interface LabelHint {
  readonly tenant: string
  readonly label: string
  readonly value: string
  /** Whose VMs, in the words of the original: a VM number, a file, a security group. */
  readonly of: string
}

export interface DraftDocument {
  readonly tenants: readonly DraftTenant[]
  readonly hints: readonly LabelHint[]
}
