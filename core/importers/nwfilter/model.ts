/** What a libvirt network filter says (formatnwfilter.html), before anything is translated. */
import type { SourcePlace } from '@hyperward/model'

export interface NwRule {
  readonly kind: 'rule'
  readonly action: 'accept' | 'drop' | 'reject' | 'return' | 'continue'
  readonly direction: 'in' | 'out' | 'inout'
  readonly priority: number
  /** False: an accept lets no answers through by itself. */
  readonly statematch: boolean
  /** Null: every frame. */
  readonly protocol: string | null
  readonly attributes: Readonly<Record<string, string>>
  readonly place: SourcePlace
}

export interface NwRef {
  readonly kind: 'ref'
  readonly filter: string
  readonly parameters: readonly (readonly [string, string])[]
  readonly place: SourcePlace
}

export interface NwFilter {
  readonly name: string
  readonly chain: string
  readonly chainPriority: number
  readonly items: readonly (NwRule | NwRef)[]
  readonly place: SourcePlace
}
