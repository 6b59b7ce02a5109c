/** The words of one rule after its chain → conditions and target. A word that is not known is a condition that may or may not hold. */
import type { PortRange, SourcePlace } from '@hyperward/model'

import type { State } from '../chains/chain.ts'
import { parseIcmpType } from '../icmp-names.ts'
import { parseMaskedPrefix, parsePrefixRange } from '../parse-prefixes.ts'
import { parseProtocol } from '../protocol-names.ts'
import type { Reason, Report } from '../report.ts'
import type { Condition, End, IptablesRule } from './model.ts'

interface Words {
  readonly list: readonly string[]
  at: number
}

/** Conditions of modules that decide by what our language does not look at, by the option that states them. */
const otherReasons: Readonly<Record<string, Reason>> = {
  '--mac-source': 'import-mac',
  '--mark': 'import-mark',
  '--ctmark': 'import-mark',
  '--limit': 'import-rate',
  '--hashlimit-upto': 'import-rate',
  '--hashlimit-above': 'import-rate',
  '--hashlimit': 'import-rate',
  '--connlimit-above': 'import-rate',
  '--connlimit-upto': 'import-rate',
  '--rcheck': 'import-rate',
  '--update': 'import-rate',
  '--quota': 'import-rate',
  '--physdev-in': 'import-interface',
  '--physdev-out': 'import-interface',
  '--physdev-is-bridged': 'import-interface',
  '--timestart': 'import-time',
  '--timestop': 'import-time',
  '--datestart': 'import-time',
  '--datestop': 'import-time',
  '--weekdays': 'import-time',
  '--sports': 'import-source-port',
  '--source-ports': 'import-source-port',
  '--ports': 'import-source-port',
}

/** Options that only go with another one and decide nothing by themselves. */
const silent = new Set(['--comment', '--set-counters', '-c', '--rsource', '--rdest', '--mask', '--name'])

/** Modules whose every condition is an option read below. Others may be a condition by their name alone (`-m socket`, `-m eui64`). */
const spelledOut = new Set([
  'comment',
  'conntrack',
  'icmp',
  'icmp6',
  'icmpv6',
  'iprange',
  'multiport',
  'sctp',
  'set',
  'state',
  'tcp',
  'udp',
])

const deciders = new Set(['ACCEPT', 'DROP', 'REJECT', 'RETURN'])

/** Null: the line cannot be read, and was reported. */
export function parseConditions(
  list: readonly string[],
  family: 4 | 6,
  place: SourcePlace,
  report: Report,
): IptablesRule | null {
  const words: Words = { list, at: 0 }
  const conditions: Condition[] = []
  // as: the compiler would take it for null for ever
  let target = null as IptablesRule['target']
  let comment: string | undefined
  let negated = false
  let module: string | null = null
  const fail = (text: string): null => {
    report.add('import.malformed', place, { text })
    return null
  }
  while (words.at < list.length) {
    const option = list[words.at] ?? ''
    words.at += 1
    if (option === '!') {
      negated = !negated
      continue
    }
    const given: Given = { option, negated: negated || takeNegation(words), place, family }
    negated = false
    if (option === '-m' || option === '--match') {
      const name = take(words)
      if (name === null) return fail(option)
      if (!spelledOut.has(name)) module ??= name
    } else if (option === '-j' || option === '--jump' || option === '-g' || option === '--goto') {
      const name = take(words)
      if (name === null) return fail(option)
      target = { name, goto: option === '-g' || option === '--goto', options: [] }
    } else if (option === '--reject-with') take(words)
    else if (option === '--comment') comment = take(words) ?? ''
    else {
      const parsed = parseCondition(given, words)
      if (parsed === 'malformed') return fail([option, list[words.at - 1] ?? ''].join(' '))
      if (parsed === null) continue
      // options of a target that decides nothing are its own; beside one that decides they are conditions, wherever they stand
      if (parsed.kind === 'other' && target !== null && !deciders.has(target.name))
        target = { ...target, options: [...target.options, option] }
      else conditions.push(parsed)
    }
  }
  // its options, where it has some, say more
  if (module !== null && !conditions.some(({ kind }) => kind === 'other'))
    conditions.push({ kind: 'other', reason: 'import-match', detail: `-m ${module}` })
  return { conditions, target, ...(comment === undefined ? {} : { comment }), place }
}

interface Given {
  readonly option: string
  readonly negated: boolean
  readonly family: 4 | 6
  readonly place: SourcePlace
}

function parseCondition({ option, negated, family }: Given, words: Words): Condition | 'malformed' | null {
  switch (option) {
    case '-s':
    case '--source':
    case '--src':
      return parseAddresses('source', negated, family, words)
    case '-d':
    case '--destination':
    case '--dst':
      return parseAddresses('destination', negated, family, words)
    case '--src-range':
      return parseRange('source', negated, words)
    case '--dst-range':
      return parseRange('destination', negated, words)
    case '-p':
    case '--protocol':
    case '--proto': {
      const text = take(words) ?? ''
      // 0 and "all" stand for every protocol
      if (text === 'all' || text === '0') return negated ? 'malformed' : null
      const protocol = parseProtocol(text)
      return protocol === null ? 'malformed' : { kind: 'protocol', negated, protocol }
    }
    case '--dport':
    case '--dports':
    case '--destination-port':
    case '--destination-ports': {
      const text = take(words) ?? ''
      const ranges = parsePorts(text)
      if (ranges === 'malformed') return 'malformed'
      return ranges === 'named'
        ? { kind: 'other', reason: 'import-port-name', detail: text }
        : { kind: 'ports', negated, ranges }
    }
    case '--sport':
    case '--source-port': {
      const text = take(words) ?? ''
      if (text === '0:65535' && !negated) return null
      return { kind: 'other', reason: 'import-source-port', detail: text }
    }
    case '--icmp-type':
    case '--icmpv6-type': {
      const text = take(words) ?? ''
      // the kernel takes 255 for every type of ICMP, and of ICMPv6 for that one
      if (text === 'any' || (family === 4 && /^255(?:\/255)?$/.test(text))) return negated ? 'malformed' : null
      const parsed = parseIcmpType(text, family)
      if (parsed === null) return { kind: 'other', reason: 'import-icmp-type', detail: text }
      return { kind: 'icmp-type', negated, type: parsed[0], code: parsed[1] }
    }
    case '--state':
    case '--ctstate': {
      const states = parseStates(take(words) ?? '')
      return states === null ? { kind: 'other', reason: 'import-state', detail: words.list[words.at - 1] ?? '' } : { kind: 'states', negated, states } // prettier-ignore
    }
    case '-i':
    case '--in-interface':
      return toInterface('in', negated, take(words))
    case '-o':
    case '--out-interface':
      return toInterface('out', negated, take(words))
    case '--match-set': {
      const [name, flags] = [take(words), take(words)]
      if (name === null || flags === null) return 'malformed'
      return { kind: 'set', end: flags === 'src' ? 'source' : flags === 'dst' ? 'destination' : null, negated, name }
    }
    case '--tcp-flags': {
      const [mask, set] = [take(words), take(words)]
      if (mask === null || set === null) return 'malformed'
      return { kind: 'tcp-flags', negated, mask: toFlags(mask), set: toFlags(set) }
    }
    case '--syn':
      return { kind: 'tcp-flags', negated, mask: ['FIN', 'SYN', 'RST', 'ACK'], set: ['SYN'] }
    case '-f':
    case '--fragment':
      // fragments never reach a verdict here: the endpoint drops them
      return negated ? null : { kind: 'other', reason: 'import-fragment', detail: option }
    default: {
      if (!option.startsWith('-')) return 'malformed'
      const values = takeValues(words)
      if (silent.has(option)) return null
      const reason = Object.hasOwn(otherReasons, option) ? otherReasons[option] : undefined
      return { kind: 'other', reason: reason ?? 'import-match', detail: [option, ...values].join(' ') }
    }
  }
}

function parseAddresses(end: End, negated: boolean, family: 4 | 6, words: Words): Condition | 'malformed' {
  const texts = (take(words) ?? '').split(',')
  const prefixes = texts.flatMap((text) => parseMaskedPrefix(text) ?? [])
  if (prefixes.length !== texts.length || prefixes.some((prefix) => prefix.includes(':') !== (family === 6)))
    return 'malformed'
  return { kind: 'address', end, negated, prefixes }
}

function parseRange(end: End, negated: boolean, words: Words): Condition | 'malformed' {
  const prefixes = parsePrefixRange(take(words) ?? '')
  return prefixes === null ? 'malformed' : { kind: 'address', end, negated, prefixes }
}

function parsePorts(text: string): readonly PortRange[] | 'malformed' | 'named' {
  const ranges: PortRange[] = []
  for (const part of text.split(',')) {
    const match = /^(\d{0,5})(:?)(\d{0,5})$/.exec(part)
    if (match === null) return /^[a-z][a-z0-9+._-]*(?::[a-z0-9+._-]*)?$/i.test(part) ? 'named' : 'malformed'
    const [from, colon, to] = [match[1] ?? '', match[2] ?? '', match[3] ?? '']
    if (part === '' || part === ':') return 'malformed'
    const first = from === '' ? 0 : Number(from)
    const last = to !== '' ? Number(to) : colon === '' ? first : 65_535
    if (first > last || last > 65_535) return 'malformed'
    ranges.push({ from: first, to: last })
  }
  return ranges
}

const stateNames: Readonly<Record<string, State>> = {
  NEW: 'new',
  ESTABLISHED: 'established',
  RELATED: 'related',
  INVALID: 'invalid',
  UNTRACKED: 'untracked',
}

/** SNAT and DNAT are states of another kind: null. */
function parseStates(text: string): ReadonlySet<State> | null {
  const states = text.split(',').map((name) => (Object.hasOwn(stateNames, name) ? stateNames[name] : undefined))
  return states.every((state) => state !== undefined) ? new Set(states) : null
}

function toInterface(way: 'in' | 'out', negated: boolean, name: string | null): Condition | 'malformed' {
  return name === null ? 'malformed' : { kind: 'interface', way, negated, name }
}

function toFlags(text: string): readonly string[] {
  if (text === 'NONE') return []
  return text === 'ALL' ? ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] : text.split(',')
}

function take(words: Words): string | null {
  const word = words.list[words.at]
  if (word === undefined) return null
  words.at += 1
  return word
}

/** `-s ! 10.0.0.0/8`, as old releases wrote it. */
function takeNegation(words: Words): boolean {
  if (words.list[words.at] !== '!') return false
  const after = words.list[words.at + 1]
  if (after === undefined || after.startsWith('-')) return false
  words.at += 1
  return true
}

function takeValues(words: Words): readonly string[] {
  const values: string[] = []
  for (let next = words.list[words.at]; next !== undefined && next !== '!' && !next.startsWith('-');) {
    values.push(next)
    words.at += 1
    next = words.list[words.at]
  }
  return values
}
