/** One rule, seen in one direction and family → its condition in our words. */
import { type Match, matchAll, intersectMatches, type State, type Unknown } from '../chains/chain.ts'
import { type AddressSet, anyOfFamily, complementSet, toAddressSet } from '../document/address-set.ts'
import { hasPorts, type ServiceSet, wholeProtocol } from '../document/service-set.ts'
import { parseMaskedPrefix, parsePrefixRange } from '../parse-prefixes.ts'
import { parseProtocol } from '../protocol-names.ts'
import type { NwRule } from './model.ts'

export type Layer = 'ethernet' | 'ip'

export interface View {
  readonly direction: 'in' | 'out'
  readonly family: 4 | 6
  readonly layer: Layer
  readonly variables: ReadonlyMap<string, readonly string[]>
}

export interface ReadRule {
  readonly match: Match
  readonly unknown: readonly Unknown[]
  readonly states?: ReadonlySet<State>
}

const etherProtocols: Readonly<Record<string, 4 | 6 | null>> = { mac: null, ip: 4, ipv6: 6 }
/** Frames of these never carry IP to a verdict here. */
const otherFrames = new Set(['arp', 'rarp', 'stp', 'vlan'])

export function layerOf({ protocol }: NwRule): Layer {
  return protocol === null || Object.hasOwn(etherProtocols, protocol) || otherFrames.has(protocol) ? 'ethernet' : 'ip'
}

/** Null: it cannot match a packet of this direction and family. */
export function readRule(rule: NwRule, view: View): ReadRule | null {
  const { protocol } = rule
  if (rule.direction !== 'inout' && rule.direction !== view.direction) return null
  if (layerOf(rule) !== view.layer) return null
  if (protocol === null) return { match: matchAll, unknown: [] }
  if (otherFrames.has(protocol)) return null
  const base = protocol.replace(/-ipv6$/, '')
  const family = view.layer === 'ethernet' ? (etherProtocols[protocol] ?? null) : protocol.endsWith('-ipv6') || base === 'icmpv6' ? 6 : 4 // prettier-ignore
  if (family !== null && family !== view.family) return null
  return readAttributes(rule, base, view)
}

function readAttributes(rule: NwRule, base: string, view: View): ReadRule | null {
  const unknown: Unknown[] = []
  const parts: Partial<Match>[] = []
  // what a rule for both ways says is meant towards the VM; from the VM it is read the other way round
  const turned = rule.direction === 'inout' && view.direction === 'out'
  const lists = new Set<string>()
  const read = (name: string): readonly string[] | null => {
    const text = rule.attributes[turned ? turn(name) : name]
    if (text === undefined) return null
    const values = readValue(text, view)
    if (values !== null && values.length > 1) lists.add(name)
    // of two lists libvirt takes the first of each, then the second of each: not every one with every other
    if (values !== null && lists.size < 2) return values
    unknown.push({ reason: 'import-variable', detail: text })
    return null
  }
  let owned = 0
  for (const end of ['src', 'dst'] as const) {
    const own = (end === 'src') === (view.direction === 'out')
    const set = readAddresses(read, end, view, unknown)
    if (set === 'own' && own) owned += 1
    else if (set === 'own') unknown.push({ reason: 'import-variable', detail: '$IP' })
    else if (set !== null) parts.push(end === 'src' ? { source: set } : { destination: set })
    const mac = read(`${end}macaddr`)
    if (mac !== null && own && mac.includes('$MAC')) owned += 1
    else if (mac !== null) unknown.push({ reason: 'import-mac', detail: mac.join(',') })
  }
  const service = readService(rule, base, view, read, unknown)
  if (service === 'never') return null
  if (service !== null) parts.push({ service })
  for (const [name, value] of Object.entries(rule.attributes))
    if (!known.has(name)) unknown.push({ reason: name === 'connlimit-above' ? 'import-rate' : name === 'ipset' ? 'import-set' : 'import-match', detail: `${name} ${value}` }) // prettier-ignore
  const states = readStates(rule.attributes['state'], unknown)
  const [only] = parts
  if (rule.attributes['match'] === 'no') {
    if (unknown.length > 0) return { match: matchAll, unknown }
    // what is not the VM's own address never gets here
    if (parts.length === 0) return owned > 0 ? null : { match: matchAll, unknown: [noMatch] }
    const set = only?.source ?? only?.destination
    const rest = parts.length > 1 || owned > 0 || set === undefined ? null : complementSet(set, anyOfFamily[view.family]) // prettier-ignore
    if (rest === null) return { match: matchAll, unknown: [noMatch] }
    return { match: { ...matchAll, ...(only?.source === undefined ? { destination: rest } : { source: rest }) }, unknown, ...(states === null ? {} : { states }) } // prettier-ignore
  }
  let match: Match | null = matchAll
  for (const part of parts) match = match === null ? null : intersectMatches(match, { ...matchAll, ...part })
  return match === null ? null : { match, unknown, ...(states === null ? {} : { states }) }
}

const noMatch: Unknown = { reason: 'import-match', detail: 'match no' }

/** Attributes that are read here, or decide nothing. */
const known = new Set(
  'srcmacaddr srcmacmask dstmacaddr dstmacmask srcipaddr srcipmask dstipaddr dstipmask srcipfrom srcipto dstipfrom dstipto protocol protocolid srcportstart srcportend dstportstart dstportend type code state comment match'.split(' '), // prettier-ignore
)

function turn(name: string): string {
  return name.startsWith('src') ? `dst${name.slice(3)}` : name.startsWith('dst') ? `src${name.slice(3)}` : name
}

/** The values of a text; `$IP`, `$IPV6` and `$MAC` stay, the VM's own. Null: a variable that nobody gave. */
function readValue(text: string, { variables }: View): readonly string[] | null {
  const [, name, index] = /^\$([A-Z0-9_]+)(?:\[([^\]]*)\])?$/i.exec(text) ?? []
  if (name === undefined) return text.includes('$') ? null : [text]
  const values = variables.get(name)
  // a value names no variable; `[2]` is one element, `[@2]` walks through all of them
  if (values?.some((value) => value.includes('$')) === true) return null
  if (index !== undefined && !index.startsWith('@') && (values?.length ?? 0) > 1) return null
  return values ?? (name === 'IP' || name === 'IPV6' || name === 'MAC' ? [`$${name}`] : null)
}

function readAddresses(
  read: (name: string) => readonly string[] | null,
  end: 'src' | 'dst',
  { family }: View,
  unknown: Unknown[],
): AddressSet | 'own' | null {
  const addresses = read(`${end}ipaddr`)
  const mask = read(`${end}ipmask`)?.[0]
  const from = read(`${end}ipfrom`)?.[0]
  const to = read(`${end}ipto`)?.[0]
  if (addresses?.some((text) => text.startsWith('$')) === true) return 'own'
  const prefixes = addresses?.map((text) => parseMaskedPrefix(mask === undefined ? text : `${text}/${mask}`)) ?? []
  const range = from === undefined ? [] : parsePrefixRange(`${from}-${to ?? from}`)
  if (range === null || prefixes.includes(null)) {
    unknown.push({ reason: 'import-unknown-name', detail: [...(addresses ?? []), mask, from, to].filter((part) => part !== undefined).join(' ') }) // prettier-ignore
    return null
  }
  const all = [...prefixes.filter((prefix) => prefix !== null), ...range]
  if (all.length === 0) return null
  const set = toAddressSet(all)
  if (set.include.every((block) => block.family === family)) return set
  unknown.push({ reason: 'import-unknown-name', detail: [...(addresses ?? []), from].filter((part) => part !== undefined).join(' ') }) // prettier-ignore
  return null
}

function readService(
  rule: NwRule,
  base: string,
  view: View,
  read: (name: string) => readonly string[] | null,
  unknown: Unknown[],
): ServiceSet | 'never' {
  const { attributes } = rule
  if (base === 'mac') {
    const id = attributes['protocolid']
    if (id === undefined) return null
    const lower = id.toLowerCase()
    const number = /^(?:\d+|0x[0-9a-f]+)$/.test(lower) ? Number(lower) : null
    const family = lower === 'ipv4' || number === 0x800 ? 4 : lower === 'ipv6' || number === 0x86dd ? 6 : null
    if (family === view.family) return null
    if (family === null && number === null && !/^(?:arp|rarp|vlan)$/.test(lower))
      unknown.push({ reason: 'import-layer-two', detail: id })
    else return 'never'
    return null
  }
  const text = base === 'ip' || base === 'ipv6' ? attributes['protocol'] : base
  if (text === undefined || text === 'all') {
    if (read('dstportstart') !== null || read('srcportstart') !== null)
      unknown.push({ reason: 'import-protocol', detail: text ?? base })
    return null
  }
  const number = parseProtocol(text)
  if (number === null) {
    unknown.push({ reason: 'import-protocol', detail: text })
    return null
  }
  const source = read('srcportstart')
  if (source !== null) unknown.push({ reason: 'import-source-port', detail: source.join(',') })
  if (number === 1 || number === 58) {
    if (attributes['code'] !== undefined) unknown.push({ reason: 'import-icmp-code', detail: attributes['code'] })
    const type = toNumber(read('type')?.[0], 255)
    if (type === null) unknown.push({ reason: 'import-icmp-type', detail: attributes['type'] ?? '' })
    return type === null || type === undefined ? [wholeProtocol(number)] : [{ protocol: number, ranges: [{ from: type, to: type }] }] // prettier-ignore
  }
  const start = read('dstportstart')
  if (start === null) return [wholeProtocol(number)]
  const [from, to] = [toNumber(start[0], 65_535), toNumber(read('dstportend')?.[0] ?? start[0], 65_535)]
  if (!hasPorts(number) || start.length > 1 || typeof from !== 'number' || typeof to !== 'number' || from > to) {
    unknown.push({ reason: 'import-protocol', detail: `${text} ${start.join(',')}` })
    return [wholeProtocol(number)]
  }
  return [{ protocol: number, ranges: [{ from, to }] }]
}

/** Undefined where nothing stands, null for no number. */
function toNumber(text: string | undefined, limit: number): number | null | undefined {
  if (text === undefined) return undefined
  if (!/^(?:\d{1,5}|0x[0-9a-f]{1,4})$/i.test(text)) return null
  const number = Number(text)
  return number > limit ? null : number
}

const stateNames: Readonly<Record<string, State | undefined>> = {
  NEW: 'new',
  ESTABLISHED: 'established',
  RELATED: 'related',
  INVALID: 'invalid',
}

/** `NONE` = every state. */
function readStates(text: string | undefined, unknown: Unknown[]): ReadonlySet<State> | null {
  if (text === undefined || text === 'NONE') return null
  const states = text.split(',').map((name) => stateNames[name.trim().toUpperCase()])
  const named = states.filter((state) => state !== undefined)
  if (named.length === states.length) return new Set(named)
  unknown.push({ reason: 'import-state', detail: text })
  return null
}
