/** Sets of service atoms for readers (`tcp 80-443`) and for programs (ranges). */
import { icmpTypeNames, portProtocols, typeProtocols } from '@hyperward/model'

import { highestValue } from '../resolve/service-table.ts'
import type { ServiceAtoms, ServiceRange } from './refine-services.ts'

export interface ServiceSet {
  /** `tcp 5432`, `udp 9000-9010`, `icmp echo-request`, `protocol 47`; one text `any` or `any but …` where most is meant. */
  readonly texts: readonly string[]
  /** Every (protocol, range) of a protocol that some rule names, merged, ascending. */
  readonly ranges: readonly ServiceRange[]
  /** Every protocol in no range of any rule is in it too. */
  readonly others: boolean
}

/** `numbers`: atoms, each once. */
export function describeServices({ atoms }: ServiceAtoms, numbers: readonly number[]): ServiceSet {
  const inside = new Set(numbers)
  const chosen = atoms.filter((atom) => inside.has(atom.number))
  const ranges = mergeRanges(chosen.flatMap((atom) => atom.ranges))
  const others = chosen.some((atom) => atom.others)
  if (!others) return { texts: ranges.map(describeRange), ranges, others }
  const missing = mergeRanges(atoms.filter((atom) => !inside.has(atom.number)).flatMap((atom) => atom.ranges))
  const texts = [missing.length === 0 ? 'any' : `any but ${missing.map(describeRange).join(', ')}`]
  return { texts, ranges, others }
}

function mergeRanges(ranges: readonly ServiceRange[]): readonly ServiceRange[] {
  const sorted = [...ranges].sort((a, b) => a.protocol - b.protocol || a.from - b.from)
  const merged: ServiceRange[] = []
  for (const range of sorted) {
    const last = merged.at(-1)
    if (last?.protocol === range.protocol && last.to + 1 >= range.from) {
      merged[merged.length - 1] = { ...last, to: Math.max(last.to, range.to) }
    } else merged.push(range)
  }
  return merged
}

/** `tcp 80-443`, `icmpv6 echo-request`, `tcp any`, `protocol 47`. */
export function describeRange({ protocol, from, to }: ServiceRange): string {
  const named = Object.entries({ ...portProtocols, ...typeProtocols }).find(([, number]) => number === protocol)
  if (named === undefined) return `protocol ${protocol}`
  const [name] = named
  if (from === 0 && to === highestValue(protocol)) return `${name} any`
  if (from !== to) return `${name} ${from}-${to}`
  const types = name === 'icmp' || name === 'icmpv6' ? Object.entries(icmpTypeNames[name]) : []
  return `${name} ${types.find(([, type]) => type === from)?.[0] ?? from}`
}
