/** Finds an address that lies in one network (or in none), in no smaller one, and belongs to no endpoint: proof that there is such a packet. */
import {
  type Address,
  type AddressValue,
  parseAddressValue,
  type Prefix,
  type PrefixValue,
  toAddress,
  toPrefixValue,
} from '@hyperward/model'

export interface FreeAddresses {
  /** In the prefix and in no other of the prefixes inside it; null when those and endpoints leave none. */
  readonly inside: (prefix: Prefix) => Address | null
  /** In no prefix at all. */
  readonly outside: (family: 4 | 6) => Address | null
}

interface Range {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

/** Addresses kept for documentation (RFC 5737, RFC 3849): what a reader takes for an address somewhere outside. */
const familiar = { 4: '198.51.100.7', 6: '2001:db8::7' } as const

/** `prefixes`: each once. */
export function createFreeAddresses(
  prefixes: readonly Prefix[],
  isTaken: (address: Address) => boolean,
): FreeAddresses {
  const ranges = prefixes
    .map((prefix) => toRange(toPrefixValue(prefix)))
    .sort((a, b) => a.family - b.family || compare(a.first, b.first) || compare(b.last, a.last))
  const search = (around: Range, start: number): Address | null => {
    let cursor = around.first
    for (let at = start; cursor <= around.last; at += 1) {
      const next = ranges[at]
      const reached = next === undefined || next.family !== around.family || next.first > around.last
      const end = reached ? around.last : next.first - 1n
      const found = pick({ family: around.family, first: cursor, last: end }, isTaken)
      if (found !== null || reached) return found
      if (next.last >= cursor) cursor = next.last + 1n
    }
    return null
  }
  return {
    inside: (prefix) => {
      const range = toRange(toPrefixValue(prefix))
      return search(range, ranges.findIndex((one) => isSame(one, range)) + 1)
    },
    outside: (family) => {
      const value = parseAddressValue(familiar[family])
      const known = value === null ? null : toAddress(value)
      const covered = value === null || ranges.some((range) => holds(range, value))
      if (known !== null && !covered && !isTaken(known)) return known
      const start = ranges.findIndex((one) => one.family === family)
      return search(toRange({ family, number: 0n, length: 0 }), start < 0 ? ranges.length : start)
    },
  }
}

/** The first address of its own looks like a network's name; the second is taken where there is one. */
function pick({ family, first, last }: Range, isTaken: (address: Address) => boolean): Address | null {
  for (let number = first < last ? first + 1n : first; number <= last; number += 1n) {
    const address = toAddress({ family, number })
    if (!isTaken(address)) return address
  }
  const address = first <= last ? toAddress({ family, number: first }) : null
  return address === null || isTaken(address) ? null : address
}

function toRange({ family, number, length }: PrefixValue): Range {
  const size = 1n << BigInt((family === 4 ? 32 : 128) - length)
  return { family, first: number, last: number + size - 1n }
}

function holds(range: Range, { family, number }: AddressValue): boolean {
  return range.family === family && range.first <= number && number <= range.last
}

function isSame(a: Range, b: Range): boolean {
  return a.family === b.family && a.first === b.first && a.last === b.last
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b)
}
