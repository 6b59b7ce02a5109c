/** What a Proxmox VE firewall file says, before anything is translated. Shapes: pve-firewall's manual, "Configuration Files". */
import type { SourcePlace } from '@hyperward/model'

export interface PveRule {
  readonly direction: 'IN' | 'OUT' | 'FORWARD'
  readonly macro: string | null
  readonly action: 'ACCEPT' | 'DROP' | 'REJECT'
  /** By option without its dashes: `iface`, `source`, `dest`, `proto`, `dport`, `sport`, `log`, `icmp-type`. */
  readonly options: Readonly<Partial<Record<PveOption, string>>>
  readonly comment?: string
  readonly place: SourcePlace
}

export type PveOption = 'iface' | 'source' | 'dest' | 'proto' | 'dport' | 'sport' | 'log' | 'icmp-type'

/** A line that calls a security group. */
export interface PveCall {
  readonly group: string
  readonly iface?: string
  readonly place: SourcePlace
}

export type PveLine =
  | { readonly kind: 'rule'; readonly rule: PveRule }
  | { readonly kind: 'call'; readonly call: PveCall }

export interface PveSet {
  readonly entries: readonly { readonly text: string; readonly nomatch: boolean; readonly place: SourcePlace }[]
  readonly place: SourcePlace
}

export interface PveFile {
  readonly role: { readonly kind: 'cluster' | 'host' } | { readonly kind: 'guest'; readonly vmid: string }
  readonly file: string
  readonly options: ReadonlyMap<string, { readonly value: string; readonly place: SourcePlace }>
  /** Names of aliases, sets and groups are in lower case. */
  readonly aliases: ReadonlyMap<string, string>
  readonly sets: ReadonlyMap<string, PveSet>
  readonly groups: ReadonlyMap<string, readonly PveLine[]>
  readonly rules: readonly PveLine[]
}
