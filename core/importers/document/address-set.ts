/** Sets of addresses as firewalls write them: the union of some prefixes without some others. Prefixes nest or are disjoint, so all of this is exact. */
import { type AddressValue, type Prefix, type PrefixValue, toAddress, toPrefixValue } from '@hyperward/model'

export interface Block {
  readonly text: Prefix
  readonly family: 4 | 6
  readonly from: bigint
  readonly to: bigint
}

export interface AddressSet {
  /** Disjoint, ascending. */
  readonly include: readonly Block[]
  /** Disjoint, ascending, each inside a block of `include`. */
  readonly exclude: readonly Block[]
  /** The group that holds exactly these, when they have a name of their own. */
  readonly group?: string
}

export function toBlock(prefix: Prefix): Block {
  const value = toPrefixValue(prefix)
  return { text: prefix, family: value.family, from: value.number, to: value.number | hostMask(value) }
}

function hostMask({ family, length }: PrefixValue): bigint {
  return (1n << BigInt((family === 4 ? 32 : 128) - length)) - 1n
}

// as: constants in canonical form
const wholeV4 = toBlock('0.0.0.0/0' as Prefix)
const wholeV6 = toBlock('::/0' as Prefix)

export const anyAddress: AddressSet = { include: [wholeV4, wholeV6], exclude: [] }
export const anyOfFamily: Readonly<Record<4 | 6, AddressSet>> = {
  4: { include: [wholeV4], exclude: [] },
  6: { include: [wholeV6], exclude: [] },
}

export function toAddressSet(include: readonly Prefix[], except: readonly Prefix[] = []): AddressSet {
  return settle(tidy(include.map(toBlock)), tidy(except.map(toBlock)))
}

export function isEmptySet(set: AddressSet): boolean {
  return set.include.length === 0
}

export function isAnyAddress(set: AddressSet): boolean {
  return set.exclude.length === 0 && sameBlocks(set.include, anyAddress.include)
}

/** Null when it holds addresses of both families, or none. */
export function familyOf(set: AddressSet): 4 | 6 | null {
  const [first] = set.include
  return first === undefined || set.include.some((block) => block.family !== first.family) ? null : first.family
}

export function sameSet(a: AddressSet, b: AddressSet): boolean {
  return a === b || (sameBlocks(a.include, b.include) && sameBlocks(a.exclude, b.exclude))
}

export function intersectSets(a: AddressSet, b: AddressSet): AddressSet {
  if (isAnyAddress(a)) return b
  if (isAnyAddress(b) || a === b) return a
  const include = intersectBlocks(a.include, b.include)
  const exclude = tidy([...a.exclude, ...b.exclude])
  const set = settle(include, exclude)
  // a named set cut by a whole family that it lies in keeps its name
  if (a.group !== undefined && sameSet(set, a)) return a
  return b.group !== undefined && sameSet(set, b) ? b : set
}

/** All addresses of `within` that are not in `set`. */
export function complementSet(set: AddressSet, within: AddressSet): AddressSet | null {
  // without its exceptions the complement is one list of exceptions; with them it is two sets, which one side of a rule does not hold
  return set.exclude.length > 0 ? null : settle(within.include, tidy([...within.exclude, ...set.include]))
}

/** Addresses from first to last, as the fewest prefixes. */
export function rangeToPrefixes(first: AddressValue, last: AddressValue): readonly Prefix[] {
  if (first.family !== last.family) return []
  const bits = first.family === 4 ? 32 : 128
  const prefixes: Prefix[] = []
  for (let at = first.number; at <= last.number;) {
    let length = bits
    while (length > 0) {
      const size = 1n << BigInt(bits - length + 1)
      if (at % size !== 0n || at + size - 1n > last.number) break
      length -= 1
    }
    prefixes.push(`${toAddress({ family: first.family, number: at })}/${length}` as Prefix) // as: aligned by construction
    at += 1n << BigInt(bits - length)
  }
  return prefixes
}

function settle(include: readonly Block[], exclude: readonly Block[]): AddressSet {
  if (exclude.length === 0) return { include, exclude }
  const kept = include.filter((block) => !isInside(block, exclude))
  return { include: kept, exclude: exclude.filter((block) => isInside(block, kept)) }
}

function sameBlocks(a: readonly Block[], b: readonly Block[]): boolean {
  return a === b || (a.length === b.length && a.every((block, index) => block.text === b[index]?.text))
}

/** Ascending, without blocks that lie in others. */
function tidy(blocks: readonly Block[]): readonly Block[] {
  const sorted = [...blocks].sort(compareBlocks)
  const kept: Block[] = []
  for (const block of sorted) {
    const last = kept.at(-1)
    if (last === undefined || !contains(last, block)) kept.push(block)
  }
  return kept
}

function intersectBlocks(a: readonly Block[], b: readonly Block[]): readonly Block[] {
  const found: Block[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const [x, y] = [a[i], b[j]]
    if (x === undefined || y === undefined) break
    if (contains(x, y)) {
      found.push(y)
      j += 1
    } else if (contains(y, x)) {
      found.push(x)
      i += 1
    } else if (compareBlocks(x, y) < 0) i += 1
    else j += 1
  }
  return found
}

/** `blocks` ascending and disjoint: the only one that can hold it is the last that begins before it. */
function isInside(block: Block, blocks: readonly Block[]): boolean {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = blocks[middle]
    if (other !== undefined && compareBlocks(other, block) <= 0) low = middle + 1
    else high = middle
  }
  const candidate = blocks[low - 1]
  return candidate !== undefined && contains(candidate, block)
}

function contains(outer: Block, inner: Block): boolean {
  return outer.family === inner.family && outer.from <= inner.from && inner.to <= outer.to
}

/** By family, then first address, then the wider first. */
function compareBlocks(a: Block, b: Block): number {
  if (a.family !== b.family) return a.family - b.family
  if (a.from !== b.from) return a.from < b.from ? -1 : 1
  if (a.to === b.to) return 0
  return a.to > b.to ? -1 : 1
}
