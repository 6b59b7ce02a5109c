/** The tables of one file → chains in the words of the middle stage, with sets looked up and interfaces judged. */
import type { PortRange } from '@hyperward/model'

import {
  type Chain,
  type ChainRule,
  intersectMatches,
  type Match,
  matchAll,
  type State,
  type Target,
  type Unknown,
} from '../chains/chain.ts'
import { type AddressSet, anyOfFamily, complementSet, toAddressSet } from '../document/address-set.ts'
import {
  allProtocolsBut,
  complementRanges,
  hasPorts,
  mergeRanges,
  type ServiceSet,
  wholeProtocol,
} from '../document/service-set.ts'
import { matchesInterface } from '../match-interface.ts'
import type { Report } from '../report.ts'
import type { Condition, End, IptablesChain, IptablesFile, IptablesRule } from './model.ts'

export interface ChainScope {
  readonly family: 4 | 6
  /** Sets by name; null = there, but of a kind that is not addresses alone. */
  readonly sets: ReadonlyMap<string, AddressSet | null>
  /** Names of the network cards that the policy is about; null = not told. */
  readonly interfaces: readonly string[] | null
  readonly report: Report
}

export function toChains(tables: IptablesFile['tables'], table: string, scope: ChainScope): ReadonlyMap<string, Chain> {
  const chains = new Map<string, Chain>()
  const written = tables.get(table) ?? new Map<string, IptablesChain>()
  for (const [name, chain] of written) {
    const rules = chain.rules.flatMap((rule) => toChainRule(rule, written, table, scope) ?? [])
    chains.set(name, { rules, policy: chain.policy, place: chain.place })
  }
  return chains
}

/** What a rule's conditions come to. `never`: no packet of an endpoint can match. */
interface Meaning {
  match: Match | null
  never: boolean
  states?: ReadonlySet<State>
  readonly unknown: Unknown[]
}

function toChainRule(
  rule: IptablesRule,
  chains: ReadonlyMap<string, unknown>,
  table: string,
  scope: ChainScope,
): ChainRule | null {
  const meaning: Meaning = { match: matchAll, never: false, unknown: [] }
  const protocol = rule.conditions.find((condition) => condition.kind === 'protocol' && !condition.negated)
  for (const condition of rule.conditions)
    applyCondition(meaning, condition, protocol?.kind === 'protocol' ? protocol.protocol : null, scope)
  if (meaning.never || meaning.match === null) return null
  const { report } = scope
  return {
    match: meaning.match,
    unknown: meaning.unknown,
    ...(meaning.states === undefined ? {} : { states: meaning.states }),
    target: toTarget(rule, chains, table, report),
    place: rule.place,
    ...(rule.comment === undefined ? {} : { comment: rule.comment }),
  }
}

function applyCondition(meaning: Meaning, condition: Condition, protocol: number | null, scope: ChainScope): void {
  const narrow = (part: Partial<Match>): void => {
    if (meaning.match !== null) meaning.match = intersectMatches(meaning.match, { ...matchAll, ...part })
  }
  const doubt = (reason: Unknown['reason'], detail: string): void => {
    meaning.unknown.push({ reason, detail })
  }
  switch (condition.kind) {
    case 'address':
      narrow(addressPart(condition.end, negate(toAddressSet(condition.prefixes), condition.negated, scope.family)))
      return
    case 'set': {
      const set = scope.sets.get(condition.name) ?? null
      const ours = set === null ? null : ofFamily(set, scope.family)
      const meant = ours === null ? null : condition.negated ? complementSet(ours, anyOfFamily[scope.family]) : ours
      if (meant === null || condition.end === null) doubt('import-set', condition.name)
      else narrow(addressPart(condition.end, meant))
      return
    }
    case 'protocol':
      narrow({ service: condition.negated ? allProtocolsBut(condition.protocol) : [wholeProtocol(condition.protocol)] })
      return
    case 'ports':
      if (protocol === null || !hasPorts(protocol)) doubt('import-protocol', protocol === null ? '?' : String(protocol))
      else narrow({ service: toService(protocol, condition.ranges, condition.negated, 65_535) })
      return
    case 'icmp-type': {
      const icmp = scope.family === 4 ? 1 : 58
      const type = { from: condition.type, to: condition.type }
      if (condition.code === null) narrow({ service: toService(icmp, [type], condition.negated, 255) })
      else {
        if (!condition.negated) narrow({ service: toService(icmp, [type], false, 255) })
        doubt('import-icmp-code', `${condition.type}/${condition.code}`)
      }
      return
    }
    case 'states':
      narrowStates(meaning, condition.negated ? allStates.filter((state) => !condition.states.has(state)) : [...condition.states]) // prettier-ignore
      return
    case 'interface': {
      const found = matchesInterface(condition.name, scope.interfaces)
      if (found === null) doubt('import-interface', condition.name)
      else if (found === condition.negated) meaning.never = true
      return
    }
    case 'tcp-flags': {
      const text = `--tcp-flags ${condition.mask.join(',')} ${condition.set.join(',')}`
      const found = matchesFirstPacket(condition.mask, condition.set)
      if (found === null) doubt('import-match', text)
      // flags of the first packet of a connection are not those of the later ones, whose flags are not known
      else if (found !== condition.negated) narrowStates(meaning, ['new'])
      else {
        narrowStates(meaning, allStates.filter((state) => state !== 'new')) // prettier-ignore
        doubt('import-match', text)
      }
      return
    }
    case 'other':
      doubt(condition.reason, condition.detail)
      return
    default:
      condition satisfies never
  }
}

function narrowStates(meaning: Meaning, states: readonly State[]): void {
  const former = meaning.states
  meaning.states = new Set(former === undefined ? states : states.filter((state) => former.has(state)))
}

const allStates: readonly State[] = ['new', 'established', 'related', 'invalid', 'untracked']

function addressPart(end: End, set: AddressSet): Partial<Match> {
  return end === 'source' ? { source: set } : { destination: set }
}

function negate(set: AddressSet, negated: boolean, family: 4 | 6): AddressSet {
  // a list of prefixes as written has no exceptions, so it has a complement
  return negated ? (complementSet(set, anyOfFamily[family]) ?? set) : set
}

function ofFamily(set: AddressSet, family: 4 | 6): AddressSet {
  const of = (blocks: AddressSet['include']): AddressSet['include'] => blocks.filter((block) => block.family === family)
  const same = set.include.every((block) => block.family === family)
  return same ? set : { include: of(set.include), exclude: of(set.exclude) }
}

function toService(protocol: number, ranges: readonly PortRange[], negated: boolean, limit: number): ServiceSet {
  const meant = negated ? complementRanges(ranges, limit) : mergeRanges(ranges)
  return meant.length === 0 ? [] : [{ protocol, ranges: meant }]
}

/** A TCP connection begins here with SYN, without FIN, RST and ACK; what else comes first is dropped before the policy is asked. */
function matchesFirstPacket(mask: readonly string[], set: readonly string[]): boolean | null {
  const known = mask.filter((flag) => flag === 'SYN' || flag === 'FIN' || flag === 'RST' || flag === 'ACK')
  const wrong = known.some((flag) => set.includes(flag) !== (flag === 'SYN'))
  if (wrong) return false
  return known.length === mask.length ? true : null
}

/** Targets that change or tell a packet and go on. */
const passing = new Set([
  'AUDIT', 'CHECKSUM', 'CLASSIFY', 'CONNMARK', 'CONNSECMARK', 'DSCP', 'HL', 'IDLETIMER', 'LED', 'MARK', 'NFLOG', 'RATEEST',
  'SECMARK', 'SET', 'SNAT', 'MASQUERADE', 'TCPMSS', 'TCPOPTSTRIP', 'TOS', 'TRACE', 'TTL', 'ULOG',
]) // prettier-ignore

function toTarget(rule: IptablesRule, chains: ReadonlyMap<string, unknown>, table: string, report: Report): Target {
  const { target, place } = rule
  if (target === null) return { kind: 'none' }
  const { name } = target
  if (name === 'ACCEPT') return { kind: 'accept' }
  if (name === 'DROP') return { kind: 'drop' }
  if (name === 'REJECT') return { kind: 'reject' }
  if (name === 'RETURN') return { kind: 'return' }
  if (chains.has(name)) return { kind: target.goto ? 'goto' : 'jump', chain: name }
  if (name === 'LOG') {
    report.add('import.ignored', place, { reason: 'import-log', detail: '' })
    return { kind: 'none' }
  }
  if (passing.has(name) || (name === 'CT' && !target.options.includes('--notrack'))) {
    report.add('import.ignored', place, { reason: table === 'nat' ? 'import-nat' : 'import-target', detail: name })
    return { kind: 'none' }
  }
  return { kind: 'closed', why: { reason: table === 'nat' ? 'import-nat' : 'import-target', detail: name } }
}
