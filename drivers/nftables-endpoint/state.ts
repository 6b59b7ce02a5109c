/** What our three tables hold, as text: the form in which wanted and present are compared. */
import type { Family } from './names.ts'

export interface Chain {
  /** What binds it to the kernel (`type … priority …; policy …;`); null for one that others jump to. */
  readonly hook: string | null
  readonly rules: readonly string[]
}

export interface NftSet {
  readonly kind: 'set' | 'map'
  /** Type, flags and size. */
  readonly declaration: string
  /** Key to value; of a set the value is ''. null: the packets themselves fill it. */
  readonly elements: ReadonlyMap<string, string> | null
  /** Intervals are exchanged all at once: deleted and added ones may overlap. */
  readonly interval: boolean
}

export interface State {
  readonly kind: 'state'
  /** By `family name`. */
  readonly chains: ReadonlyMap<string, Chain>
  readonly sets: ReadonlyMap<string, NftSet>
  /** Names of counters, in the inet table. */
  readonly counters: ReadonlySet<string>
  /** Of the inet table: name to rate. A rate never changes under its name. */
  readonly limits: ReadonlyMap<string, string>
}

/** Names only: what an earlier process left, whose content is not believed to be anything. */
export interface Skeleton {
  readonly kind: 'skeleton'
  readonly chains: ReadonlySet<string>
  readonly sets: ReadonlyMap<string, 'set' | 'map'>
  readonly counters: ReadonlySet<string>
  readonly limits: ReadonlySet<string>
}

export const emptySkeleton: Skeleton = {
  kind: 'skeleton',
  chains: new Set(),
  sets: new Map(),
  counters: new Set(),
  limits: new Set(),
}

export function id(family: Family, name: string): string {
  return `${family} ${name}`
}
