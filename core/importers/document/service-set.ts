/** Sets of (protocol, destination port or ICMP type), as the policy language has them: exact intersection and complement. */
import { type PortRange, portProtocols, type ServiceEntry, typeProtocols } from '@hyperward/model'

/** Null = every protocol. Entries ascend by protocol, ranges ascend and are disjoint. */
export type ServiceSet = readonly ServiceEntry[] | null

const portLike: ReadonlySet<number> = new Set(Object.values(portProtocols))
const typeLike: ReadonlySet<number> = new Set(Object.values(typeProtocols))

export function hasPorts(protocol: number): boolean {
  return portLike.has(protocol)
}

export function wholeProtocol(protocol: number): ServiceEntry {
  if (portLike.has(protocol)) return { protocol, ranges: [{ from: 0, to: 65_535 }] }
  return { protocol, ranges: typeLike.has(protocol) ? [{ from: 0, to: 255 }] : [] }
}

/** Every protocol but one: `! -p tcp`. */
export function allProtocolsBut(excluded: number): ServiceSet {
  return Array.from({ length: 256 }, (_, protocol) => protocol)
    .filter((protocol) => protocol !== excluded)
    .map(wholeProtocol)
}

export function intersectServices(a: ServiceSet, b: ServiceSet): ServiceSet {
  if (a === null) return b
  if (b === null) return a
  return a.flatMap((entry) => {
    const other = b.find(({ protocol }) => protocol === entry.protocol)
    if (other === undefined) return []
    if (entry.ranges.length === 0) return [entry]
    const ranges = intersectRanges(entry.ranges, other.ranges)
    return ranges.length === 0 ? [] : [{ protocol: entry.protocol, ranges }]
  })
}

export function isEmptyService(set: ServiceSet): boolean {
  return set !== null && set.length === 0
}

export function sameService(a: ServiceSet, b: ServiceSet): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

/** True when it takes whole protocols only: such a condition reads the same on replies. */
export function isWholeProtocols(set: ServiceSet): boolean {
  return set === null || set.every((entry) => sameService([entry], [wholeProtocol(entry.protocol)]))
}

export function mergeRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = []
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && range.from <= last.to + 1)
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) }
    else merged.push(range)
  }
  return merged
}

/** What `ranges` leave of 0..limit. */
export function complementRanges(ranges: readonly PortRange[], limit: number): readonly PortRange[] {
  const left: PortRange[] = []
  let next = 0
  for (const { from, to } of mergeRanges(ranges)) {
    if (from > next) left.push({ from: next, to: from - 1 })
    next = to + 1
  }
  return next > limit ? left : [...left, { from: next, to: limit }]
}

function intersectRanges(a: readonly PortRange[], b: readonly PortRange[]): readonly PortRange[] {
  const found = a.flatMap((x) =>
    b.flatMap((y) => {
      const [from, to] = [Math.max(x.from, y.from), Math.min(x.to, y.to)]
      return from <= to ? [{ from, to }] : []
    }),
  )
  return mergeRanges(found)
}
