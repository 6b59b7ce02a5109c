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
  /** In sorted order of prefix text: the prefix, its own leaves and those of the prefixes around it, and the nearest prefix around it. */
  readonly prefixes: readonly NetworkPrefix[]
  /** Leaves of an address; the same array object for the same leaves. */
  readonly leavesOf: (address: Address) => readonly number[]
}

export interface NetworkPrefix {
  readonly prefix: Prefix
  readonly leaves: readonly number[]
  readonly parent: NetworkPrefix | null
}

const none: readonly number[] = []

/** `networks[i]` are the prefixes of leaf number `leaves[i]`. */
export function buildNetworkTable(
  groups: readonly { readonly leaf: number; readonly networks: readonly Prefix[] }[],
): NetworkTable {
  const own = new Map<Prefix, Set<number>>()
  for (const { leaf, networks } of groups) {
    for (const prefix of networks) own.set(prefix, (own.get(prefix) ?? new Set()).add(leaf))
  }
  const sorted = [...own]
    .map(([prefix, leaves]) => ({ prefix, value: toPrefixValue(prefix), leaves }))
    .sort((a, b) => a.value.length - b.value.length)
  const lengths = new Map<string, Level>()
  const interned = new Map<string, readonly number[]>()
  const prefixes: NetworkPrefix[] = []
  for (const { prefix, value, leaves } of sorted) {
    const parent = longest(lengths, value, value.length)
    const all = [...new Set([...leaves, ...(parent?.leaves ?? none)])].sort((a, b) => a - b)
    const key = all.join()
    const shared = interned.get(key) ?? all
    interned.set(key, shared)
    const found: NetworkPrefix = { prefix, leaves: shared, parent }
    prefixes.push(found)
    const levelKey = `${value.family}/${value.length}`
    const level = lengths.get(levelKey) ?? { family: value.family, length: value.length, byNumber: new Map() }
    level.byNumber.set(value.number >> shiftOf(value.family, value.length), found)
    lengths.set(levelKey, level)
  }
  const levels = [...lengths.values()].sort((a, b) => b.length - a.length)
  return {
    prefixes: prefixes.sort((a, b) => compareText(a.prefix, b.prefix)),
    leavesOf: (address) => {
      if (levels.length === 0) return none
      const value = parseAddressValue(address)
      return value === null ? none : (search(levels, value)?.leaves ?? none)
    },
  }
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
