/** `{tcp: [80, 8000-8100], icmp: echo-request, protocol: 47}` → Service. Ranges come out ascending, disjoint and merged. */
import { icmpTypeNames, type PortRange, portProtocols, type ServiceEntry, typeProtocols } from '@hyperward/model'

import type { DocumentReader, Field } from '../document/document-reader.ts'
import { serviceFields } from '../language/fields.ts'

const allPorts: PortRange = { from: 0, to: 65_535 }
const allTypes: PortRange = { from: 0, to: 255 }

/** A service as written: what it says itself, and the services it names. */
export interface WrittenService {
  readonly entries: readonly ServiceEntry[]
  readonly names: readonly Field[]
}

/** Null when anything in it was wrong: a service is never half of what was written. */
export function parseService(reader: DocumentReader, field: Field): WrittenService | null {
  const before = reader.report.diagnostics.length
  const fields = reader.record(field, serviceFields)
  if (fields === null) return null
  if (fields.size === 0 && reader.report.diagnostics.length === before)
    reader.report.add('service.empty', field.path, field.place, {})
  const entries: ServiceEntry[] = []
  for (const key of ['tcp', 'udp', 'sctp'] as const) {
    const found = fields.get(key)
    if (found !== undefined) entries.push({ protocol: portProtocols[key], ranges: parsePorts(reader, found) })
  }
  for (const key of ['icmp', 'icmpv6'] as const) {
    const found = fields.get(key)
    if (found !== undefined) entries.push({ protocol: typeProtocols[key], ranges: parseTypes(reader, found, key) })
  }
  const protocols = fields.get('protocol')
  if (protocols !== undefined) entries.push(...parseProtocols(reader, protocols))
  const services = fields.get('services')
  const names = services === undefined ? [] : itemsOf(reader, services)
  return reader.report.diagnostics.length > before ? null : { entries, names }
}

/** One entry a protocol, ascending; ranges united. */
export function mergeEntries(entries: readonly ServiceEntry[]): readonly ServiceEntry[] {
  const byProtocol = new Map<number, PortRange[]>()
  for (const { protocol, ranges } of entries) {
    const known = byProtocol.get(protocol)
    if (known === undefined) byProtocol.set(protocol, [...ranges])
    else for (const range of ranges) known.push(range)
  }
  return [...byProtocol]
    .sort(([a], [b]) => a - b)
    .map(([protocol, ranges]) => ({ protocol, ranges: mergeRanges(ranges) }))
}

interface WrittenRange {
  readonly range: PortRange
  readonly text: string
  readonly field: Field
}

function parsePorts(reader: DocumentReader, field: Field): readonly PortRange[] {
  const written: WrittenRange[] = []
  const items = itemsOf(reader, field)
  for (const item of items) {
    const text = reader.text(item)
    if (text === null) continue
    if (text === 'any') {
      if (items.length > 1) reader.report.add('rule.any-in-list', item.path, item.place, {})
      return [allPorts]
    }
    const range = parseRange(reader, item, text, 'port', 65_535, '8000-8100')
    if (range !== null) written.push({ range, text, field: item })
  }
  return checkOverlaps(reader, written, 'port')
}

function parseTypes(reader: DocumentReader, field: Field, protocol: 'icmp' | 'icmpv6'): readonly PortRange[] {
  const written: WrittenRange[] = []
  const items = itemsOf(reader, field)
  for (const item of items) {
    const text = reader.text(item)
    if (text === null) continue
    if (text === 'any') {
      if (items.length > 1) reader.report.add('rule.any-in-list', item.path, item.place, {})
      return [allTypes]
    }
    const names = icmpTypeNames[protocol]
    const known = Object.hasOwn(names, text) ? names[text] : undefined
    if (known !== undefined) {
      written.push({ range: { from: known, to: known }, text, field: item })
    } else if (/^\d/.test(text)) {
      const range = parseRange(reader, item, text, 'icmp-type', 255, '0-255')
      if (range !== null) written.push({ range, text, field: item })
    } else {
      const example = reader.nearest(text, Object.keys(names)) || 'echo-request'
      reader.report.add('icmp-type.unknown', item.path, item.place, { text, protocol, example })
    }
  }
  return checkOverlaps(reader, written, 'icmp-type')
}

/** Numbers of protocols that have ports or types stand for all of those. */
function parseProtocols(reader: DocumentReader, field: Field): readonly ServiceEntry[] {
  const entries: ServiceEntry[] = []
  const seen = new Set<number>()
  for (const item of itemsOf(reader, field)) {
    const text = reader.text(item)
    if (text === null) continue
    const number = /^\d{1,3}$/.test(text) ? Number(text) : 256
    if (number > 255) {
      reader.report.add('protocol.out-of-range', item.path, item.place, { text })
      continue
    }
    if (seen.has(number)) {
      reader.report.add('port.duplicate', item.path, item.place, { what: 'protocol', text })
      continue
    }
    seen.add(number)
    entries.push({ protocol: number, ranges: wholeProtocol(number) })
  }
  return entries
}

/** The ranges that stand for every packet of a protocol. */
export function wholeProtocol(protocol: number): readonly PortRange[] {
  if (Object.values<number>(portProtocols).includes(protocol)) return [allPorts]
  return Object.values<number>(typeProtocols).includes(protocol) ? [allTypes] : []
}

function itemsOf(reader: DocumentReader, field: Field): readonly Field[] {
  if (reader.isText(field)) return [field]
  const items = reader.list(field)
  if (items?.length === 0) reader.report.add('service.empty', field.path, field.place, {})
  return items ?? []
}

function parseRange(
  reader: DocumentReader,
  field: Field,
  text: string,
  what: 'port' | 'icmp-type',
  limit: number,
  example: string,
): PortRange | null {
  const { report } = reader
  const match = /^(\d{1,9})(?:\s*[-:]\s*(\d{1,9}))?$/.exec(text)
  if (match === null) {
    report.add('port.malformed', field.path, field.place, { text, what, example })
    return null
  }
  const from = Number(match[1])
  const to = match[2] === undefined ? from : Number(match[2])
  for (const number of [from, to]) {
    if (number <= limit) continue
    report.add('port.out-of-range', field.path, field.place, { what, text: number, from: 0, to: limit })
    return null
  }
  if (from > to) {
    report.add('port.inverted-range', field.path, field.place, { text, remedy: `${to}-${from}` })
    return null
  }
  return { from, to }
}

function checkOverlaps(
  reader: DocumentReader,
  written: readonly WrittenRange[],
  what: 'port' | 'icmp-type',
): readonly PortRange[] {
  const sorted = [...written].sort((a, b) => a.range.from - b.range.from || a.range.to - b.range.to)
  let widest: WrittenRange | null = null
  for (const next of sorted) {
    if (widest !== null && next.range.from <= widest.range.to) {
      const same = next.range.from === widest.range.from && next.range.to === widest.range.to
      if (same) reader.report.add('port.duplicate', next.field.path, next.field.place, { what, text: next.text })
      else {
        const remedy = `${widest.range.from}-${Math.max(widest.range.to, next.range.to)}`
        const params = { first: widest.text, second: next.text, remedy }
        reader.report.add('port.overlap', next.field.path, next.field.place, params)
      }
    }
    if (widest === null || next.range.to > widest.range.to) widest = next
  }
  return mergeRanges(written.map((one) => one.range))
}

function mergeRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = []
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && range.from <= last.to + 1) {
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) }
    } else merged.push(range)
  }
  return merged
}
