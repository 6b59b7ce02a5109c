/** Which network groups an address is in: longest prefix → every network group that holds the prefix. */
import {
  type Address,
  type AddressValue,
  parseAddressValue,
  type Prefix,
  type PrefixValue,
  toPrefixValue,
} from '@hyperward/model'

import { compareText } from './compare-text.ts'

export interface NetworkTable {
  /** In sorted order of prefix text: the prefix, its own leaves and those of the prefixes around it, without those that leave it out, and the nearest prefix around it. */
  readonly prefixes: readonly NetworkPrefix[]
  /** Leaves of an address; the same array object for the same leaves. */
  readonly leavesOf: (address: Address) => readonly number[]
}

export interface NetworkPrefix {
  readonly prefix: Prefix
  readonly leaves: readonly number[]
  readonly parent: NetworkPrefix | null
  /** Leaves with this prefix or one around it among their networks, and among their exceptions. */
  readonly held: readonly number[]
  readonly kept: readonly number[]
}

const none: readonly number[] = []

/** A leaf holds what is inside one of its `networks` and inside none of its `except`. */
export function buildNetworkTable(
  groups: readonly {
    readonly leaf: number
    readonly networks: readonly Prefix[]
    readonly except: readonly Prefix[]
  }[],
): NetworkTable {
  const own = new Map<Prefix, Marks>()
  const marksOf = (prefix: Prefix): Marks => {
    const marks = own.get(prefix) ?? { held: [], kept: [] }
    own.set(prefix, marks)
    return marks
  }
  for (const { leaf, networks, except } of groups) {
    for (const prefix of networks) marksOf(prefix).held.push(leaf)
    for (const prefix of except) marksOf(prefix).kept.push(leaf)
  }
  const sorted = [...own]
    .map(([prefix, marks]) => ({ prefix, value: toPrefixValue(prefix), marks }))
    .sort((a, b) => a.value.length - b.value.length)
  const lengths = new Map<string, Level>()
  const interned = new Map<string, readonly number[]>()
  const prefixes: NetworkPrefix[] = []
  for (const { prefix, value, marks } of sorted) {
    const parent = longest(lengths, value, value.length)
    const held = union(marks.held, parent?.held ?? none)
    const kept = union(marks.kept, parent?.kept ?? none)
    const all = kept.length === 0 ? held : held.filter((leaf) => !kept.includes(leaf))
    const key = all.join()
    const shared = interned.get(key) ?? all
    interned.set(key, shared)
    const found: NetworkPrefix = { prefix, leaves: shared, parent, held, kept }
    prefixes.push(found)
    const levelKey = `${value.family}/${value.length}`
    const level = lengths.get(levelKey) ?? { family: value.family, length: value.length, byNumber: new Map() }
    level.byNumber.set(value.number >> shiftOf(value.family, value.length), found)
    lengths.set(levelKey, level)
  }
  const levels = [...lengths.values()].sort((a, b) => b.length - a.length)
  const beginnings = listBeginnings(prefixes.map(({ prefix }) => prefix))
  return {
    prefixes: prefixes.sort((a, b) => compareText(a.prefix, b.prefix)),
    leavesOf: (address) => {
      if (!beginnings.mayHold(address)) return none
      const value = parseAddressValue(address)
      return value === null ? none : (search(levels, value)?.leaves ?? none)
    },
  }
}

/** Most addresses are in no network, and most of those begin with another number: told without reading the rest. */
function listBeginnings(prefixes: readonly Prefix[]): { readonly mayHold: (address: Address) => boolean } {
  const known = new Set<string>()
  let wide4 = false
  let wide6 = false
  for (const prefix of prefixes) {
    const { family, length } = toPrefixValue(prefix)
    if (family === 4 && length < 8) wide4 = true
    else if (family === 6 && length < 16) wide6 = true
    else known.add(beginningOf(prefix))
  }
  return {
    mayHold: (address) => {
      const beginning = beginningOf(address)
      return known.has(beginning) || (beginning.endsWith('.') ? wide4 : wide6)
    },
  }
}

/** First octet with its dot, or first group with its colon, of a canonical text. */
function beginningOf(text: Address | Prefix): string {
  for (let at = 0; at < 5; at += 1) if (text[at] === '.' || text[at] === ':') return text.slice(0, at + 1)
  throw new Error(`neither an address nor a prefix: ${text}`)
}

/** Leaves that name a prefix among their networks, and among what they leave out. */
interface Marks {
  readonly held: number[]
  readonly kept: number[]
}

function union(some: readonly number[], others: readonly number[]): readonly number[] {
  if (some.length === 0) return others
  return [...new Set([...some, ...others])].sort((a, b) => a - b)
}

interface Level {
  readonly family: 4 | 6
  readonly length: number
  readonly byNumber: Map<bigint, NetworkPrefix>
}

function longest(lengths: ReadonlyMap<string, Level>, value: PrefixValue, below: number): NetworkPrefix | null {
  const shorter = [...lengths.values()].filter((level) => level.length < below)
  return search(
    shorter.sort((a, b) => b.length - a.length),
    value,
  )
}

function search(levels: readonly Level[], value: AddressValue): NetworkPrefix | null {
  for (const level of levels) {
    if (level.family !== value.family) continue
    const found = level.byNumber.get(value.number >> shiftOf(level.family, level.length))
    if (found !== undefined) return found
  }
  return null
}

function shiftOf(family: 4 | 6, length: number): bigint {
  return BigInt((family === 4 ? 32 : 128) - length)
}
