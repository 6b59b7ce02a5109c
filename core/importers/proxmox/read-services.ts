/** The protocol and port options of a rule, or its macro → services. Entries that could not be said exactly come apart from the others. */
import type { PortRange } from '@hyperward/model'

import type { Unknown } from '../chains/chain.ts'
import { hasPorts, mergeRanges, type ServiceSet, wholeProtocol } from '../document/service-set.ts'
import { parseIcmpType } from '../icmp-names.ts'
import { parseProtocol } from '../protocol-names.ts'
import { findMacro, type MacroEntry } from './macros.ts'
import type { PveRule } from './model.ts'

export interface ReadService {
  readonly service: ServiceSet
  /** What of it has no equal; the service is then all that it may concern. */
  readonly doubt?: Unknown
}

/** All exact entries of a macro together, then each of the others. One action holds for all, so their order is free. */
export function readServices({ macro, options }: PveRule): readonly ReadService[] {
  if (macro === null) return [readEntry(toEntry(options))]
  const entries = findMacro(macro)
  if (entries === null) return [{ service: null, doubt: { reason: 'import-macro', detail: macro } }]
  const read = entries.map(readEntry)
  const own = toEntry(options)
  if (own.protocol !== undefined || own.dport !== undefined || own.sport !== undefined)
    return read.map(({ service }) => ({ service, doubt: { reason: 'import-macro', detail: `${macro} with -p, -dport or -sport` } })) // prettier-ignore
  const exact = read.filter((one) => one.doubt === undefined)
  const service = unite(exact.map((one) => one.service))
  return [...(exact.length === 0 ? [] : [{ service }]), ...read.filter((one) => one.doubt !== undefined)]
}

type Entry = Partial<MacroEntry>

function toEntry(options: PveRule['options']): Entry {
  const { proto, dport, sport } = options
  const type = options['icmp-type'] ?? dport
  return {
    ...(proto === undefined ? {} : { protocol: proto }),
    ...(type === undefined ? {} : { dport: type }),
    ...(sport === undefined ? {} : { sport }),
  }
}

function readEntry({ protocol, dport, sport }: Entry): ReadService {
  if (protocol === undefined) {
    const detail = dport ?? sport
    return detail === undefined ? { service: null } : { service: null, doubt: { reason: 'import-protocol', detail } }
  }
  const number = parseProtocol(protocol)
  if (number === null) return { service: null, doubt: { reason: 'import-protocol', detail: protocol } }
  const whole = wholeProtocol(number)
  const all: ServiceSet = [whole]
  if (dport === undefined) return sport === undefined ? { service: all } : { service: all, doubt: fromPort(sport) }
  if (number === 1 || number === 58) {
    const types = dport.split(',').map((text) => parseIcmpType(text, number === 1 ? 4 : 6))
    if (dport === 'any') return { service: all }
    if (types.some((type) => type === null))
      return { service: all, doubt: { reason: 'import-icmp-type', detail: dport } }
    const known = types.filter((type) => type !== null)
    const ranges = mergeRanges(known.map(([type]) => ({ from: type, to: type })))
    const coded = known.some(([, code]) => code !== null)
    const service: ServiceSet = [{ protocol: number, ranges }]
    return coded ? { service, doubt: { reason: 'import-icmp-code', detail: dport } } : { service }
  }
  if (!hasPorts(number)) return { service: all, doubt: { reason: 'import-protocol', detail: `${protocol} ${dport}` } }
  const ranges = readPorts(dport)
  if (ranges === null) return { service: all, doubt: { reason: 'import-port-name', detail: dport } }
  const service: ServiceSet = [{ protocol: number, ranges }]
  return sport === undefined ? { service } : { service, doubt: fromPort(sport) }
}

function fromPort(detail: string): Unknown {
  return { reason: 'import-source-port', detail }
}

/** Null for ports by name: what they stand for is in a file of the other machine. */
function readPorts(text: string): readonly PortRange[] | null {
  const ranges: PortRange[] = []
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(part)
    if (match === null) return null
    const from = Number(match[1])
    const to = match[2] === undefined ? from : Number(match[2])
    if (from > to || to > 65_535) return null
    ranges.push({ from, to })
  }
  return mergeRanges(ranges)
}

function unite(services: readonly ServiceSet[]): ServiceSet {
  const byProtocol = new Map<number, PortRange[]>()
  for (const service of services) {
    if (service === null) return null
    for (const { protocol, ranges } of service)
      byProtocol.set(protocol, [...(byProtocol.get(protocol) ?? []), ...ranges])
  }
  return [...byProtocol]
    .sort(([a], [b]) => a - b)
    .map(([protocol, ranges]) => ({ protocol, ranges: mergeRanges(ranges) }))
}
