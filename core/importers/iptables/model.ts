/** What an iptables-save, ip6tables-save or ipset save file says, before anything is translated. */
import type { PortRange, Prefix, SourcePlace } from '@hyperward/model'

import type { State } from '../chains/chain.ts'
import type { Reason } from '../report.ts'

export type Condition =
  | { readonly kind: 'address'; readonly end: End; readonly negated: boolean; readonly prefixes: readonly Prefix[] }
  | { readonly kind: 'protocol'; readonly negated: boolean; readonly protocol: number }
  | { readonly kind: 'ports'; readonly negated: boolean; readonly ranges: readonly PortRange[] }
  | { readonly kind: 'icmp-type'; readonly negated: boolean; readonly type: number; readonly code: number | null }
  | { readonly kind: 'states'; readonly negated: boolean; readonly states: ReadonlySet<State> }
  | { readonly kind: 'interface'; readonly way: 'in' | 'out'; readonly negated: boolean; readonly name: string }
  | { readonly kind: 'set'; readonly end: End | null; readonly negated: boolean; readonly name: string }
  | {
      readonly kind: 'tcp-flags'
      readonly negated: boolean
      readonly mask: readonly string[]
      readonly set: readonly string[]
    }
  | { readonly kind: 'other'; readonly reason: Reason; readonly detail: string }

export type End = 'source' | 'destination'

export interface IptablesRule {
  readonly conditions: readonly Condition[]
  readonly target: { readonly name: string; readonly goto: boolean; readonly options: readonly string[] } | null
  readonly comment?: string
  readonly place: SourcePlace
}

export interface IptablesChain {
  readonly name: string
  readonly policy: 'accept' | 'drop' | null
  readonly rules: IptablesRule[]
  readonly place: SourcePlace
}

export interface IptablesFile {
  readonly kind: 'rules'
  readonly file: string
  readonly family: 4 | 6
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, IptablesChain>>
}

export interface IpSet {
  readonly name: string
  /** Null: of a type whose members are more than addresses, or with something in it that cannot be read. */
  readonly members: { readonly include: readonly Prefix[]; readonly except: readonly Prefix[] } | null
  readonly place: SourcePlace
}

export interface IpsetFile {
  readonly kind: 'sets'
  readonly file: string
  readonly sets: readonly IpSet[]
}
