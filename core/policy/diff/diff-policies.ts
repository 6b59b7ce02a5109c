/**
 * Which connections change their fate between two resolved policies: computed over all of them, not sampled. Addresses and services are cut into atoms that
 * neither policy tells apart; a pair of atoms is judged end to end (egress at the source's endpoint and ingress at the destination's), before and after.
 */
import type { Action, Address, Direction, Prefix, RuleRef, TenantName } from '@hyperward/model'
import { defaultDropRef } from '@hyperward/model'

import { type FirstMatches, type LocalRules, matchesOfPeer, selectLocalRules } from '../compile/verdict-rows.ts'
import { compareText } from '../resolve/compare-text.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { type AddressAtom, refineAddresses } from './refine-addresses.ts'
import { refineServices, type ServiceAtom } from './refine-services.ts'

/** One side of a change: these endpoints and networks, and for readers the names of the VMs and groups. */
export interface DiffParty {
  readonly tenant: TenantName | null
  /** Rule sides (lists of groups) that hold it after the change; for reading only. */
  readonly groups: readonly string[]
  readonly vms: readonly string[]
  readonly addresses: readonly Address[]
  readonly networks: readonly Prefix[]
  /** Every address that is in nothing. */
  readonly world: boolean
}

export interface DiffVerdict {
  readonly action: Action | 'not-enforced'
  /** The rule that decides: of the side that refuses, else of the destination's side, else of the source's. Null when nothing is enforced. */
  readonly rule: RuleRef | null
}

export interface DiffEntry {
  readonly sources: readonly DiffParty[]
  readonly destinations: readonly DiffParty[]
  /** `tcp 5432`, `udp 9000-9010`, `icmp echo-request`, `any`. */
  readonly services: readonly string[]
  readonly before: DiffVerdict
  readonly after: DiffVerdict
}

export interface PolicyDiff {
  /** Every source with every destination of an entry and every service of it changes so. At most the limit asked for. */
  readonly entries: readonly DiffEntry[]
  /** How many entries there are in all. */
  readonly total: number
  /** Pairs of source and destination atoms with a change in some service. */
  readonly pairs: number
}

export function diffPolicies(before: ResolvedPolicy, after: ResolvedPolicy, limit = 500): PolicyDiff {
  const atoms = refineAddresses(before, after)
  const services = refineServices(before.index.services.classes, after.index.services.classes)
  const judgeBefore = createJudge(before, (atom) => atom.before)
  const judgeAfter = createJudge(after, (atom) => atom.after)
  const compare = createComparison(services)
  const pairs: ChangedPair[] = []
  let changedPairs = 0
  for (const source of atoms) {
    for (const destination of atoms) {
      const changes = compare(judgeBefore(source, destination), judgeAfter(source, destination))
      if (changes.length > 0) changedPairs += 1
      for (const change of changes) pairs.push({ source, destination, change })
    }
  }
  const rectangles = groupPairs(pairs)
  const describe = createDescriber(before, after)
  const entries = rectangles.slice(0, limit).map(({ sources, destinations, change }) => ({
    sources: sources.map(describe),
    destinations: destinations.map(describe),
    services:
      change.services.length === services.length ? ['any'] : change.services.flatMap((service) => service.texts),
    before: change.before,
    after: change.after,
  }))
  return { entries, total: rectangles.length, pairs: changedPairs }
}

interface Change {
  readonly services: readonly ServiceAtom[]
  readonly before: DiffVerdict
  readonly after: DiffVerdict
}

interface ChangedPair {
  readonly source: AddressAtom
  readonly destination: AddressAtom
  readonly change: Change
}

/** The answers of both sides for one pair; a side that is not enforced has none. */
interface PairMatches {
  readonly egress: FirstMatches | null
  readonly ingress: FirstMatches | null
}

type Judge = (source: AddressAtom, destination: AddressAtom) => PairMatches

function createJudge(resolved: ResolvedPolicy, classOf: (atom: AddressAtom) => IdentityClass): Judge {
  const rulesOf = new Map<string, LocalRules>()
  const answers = new Map<string, FirstMatches>()
  const ask = (local: IdentityClass, peer: IdentityClass, direction: Direction): FirstMatches | null => {
    if (local.signature.tenant === null) return null
    const localKey = `${direction}/${local.identity}`
    const rules = rulesOf.get(localKey) ?? selectLocalRules(resolved.index, local, direction)
    rulesOf.set(localKey, rules)
    const inSides = [...rules.peerSides].filter((side) => peer.signature.sides.has(side))
    const key = `${localKey}/${inSides.join()}`
    const answer = answers.get(key) ?? matchesOfPeer(rules, peer)
    answers.set(key, answer)
    return answer
  }
  return (source, destination) => ({
    egress: ask(classOf(source), classOf(destination), 'egress'),
    ingress: ask(classOf(destination), classOf(source), 'ingress'),
  })
}

/** Most pairs share their answers with many others: each combination of answers is compared once. */
function createComparison(
  services: readonly ServiceAtom[],
): (before: PairMatches, after: PairMatches) => readonly Change[] {
  const numbers = new Map<FirstMatches | null, number>()
  const numberOf = (matches: FirstMatches | null): number => {
    const number = numbers.get(matches) ?? numbers.size
    numbers.set(matches, number)
    return number
  }
  const known = new Map<string, readonly Change[]>()
  return (before, after) => {
    const key = [before.egress, before.ingress, after.egress, after.ingress].map(numberOf).join()
    const changes = known.get(key) ?? comparePair(before, after, services)
    known.set(key, changes)
    return changes
  }
}

/** Changes of one pair, services with the same change together. */
function comparePair(before: PairMatches, after: PairMatches, services: readonly ServiceAtom[]): readonly Change[] {
  const changes = new Map<string, { services: ServiceAtom[]; before: DiffVerdict; after: DiffVerdict }>()
  for (const service of services) {
    const [first, second] = [verdictOf(before, service.before), verdictOf(after, service.after)]
    if (first.action === second.action) continue
    const key = `${first.action} ${first.rule ?? ''} ${second.action} ${second.rule ?? ''}`
    const change = changes.get(key) ?? { services: [], before: first, after: second }
    change.services.push(service)
    changes.set(key, change)
  }
  return [...changes.values()]
}

function verdictOf({ egress, ingress }: PairMatches, service: number): DiffVerdict {
  const sides = [egress, ingress]
    .filter((side) => side !== null)
    .map((side) => {
      const rule = side.byClass.get(service) ?? side.rest
      return { action: rule?.rule.action ?? ('drop' as const), rule: rule?.rule.ref ?? defaultDropRef }
    })
  return sides.find((side) => side.action !== 'allow') ?? sides.at(-1) ?? { action: 'not-enforced', rule: null }
}

interface Rectangle {
  readonly sources: readonly AddressAtom[]
  readonly destinations: readonly AddressAtom[]
  readonly change: Change
}

/** Pairs with the same change, gathered into products: first destinations of one source, then sources with the same destinations. */
function groupPairs(pairs: readonly ChangedPair[]): readonly Rectangle[] {
  const numbers = new Map<unknown, number>()
  const numberOf = (thing: unknown): number => {
    const number = numbers.get(thing) ?? numbers.size
    numbers.set(thing, number)
    return number
  }
  const rows = new Map<
    string,
    { source: AddressAtom; destinations: AddressAtom[]; change: Change; changeKey: string }
  >()
  for (const { source, destination, change } of pairs) {
    const { before, after, services } = change
    const changeKey = [before.action, before.rule, after.action, after.rule, services.map(numberOf).join()].join(' ')
    const key = `${numberOf(source)} ${changeKey}`
    const row = rows.get(key) ?? { source, destinations: [], change, changeKey }
    row.destinations.push(destination)
    rows.set(key, row)
  }
  const rectangles = new Map<string, { sources: AddressAtom[]; destinations: readonly AddressAtom[]; change: Change }>()
  for (const { source, destinations, change, changeKey } of rows.values()) {
    const key = `${destinations.map(numberOf).join()} ${changeKey}`
    const rectangle = rectangles.get(key) ?? { sources: [], destinations, change }
    rectangle.sources.push(source)
    rectangles.set(key, rectangle)
  }
  return [...rectangles.values()]
}

function createDescriber(before: ResolvedPolicy, after: ResolvedPolicy): (atom: AddressAtom) => DiffParty {
  const names = new Map<string, string>()
  for (const { records } of [before, after]) {
    for (const { vm, claims } of records.byVm.values()) for (const claim of claims) names.set(claim.address, vm.name)
  }
  return ({ after: one, addresses, networks, world }) => {
    const { tenant, sides } = one.signature
    const vms = new Set(addresses.map((address) => names.get(address)).filter((name) => name !== undefined))
    return {
      tenant,
      groups: [...sides].map((side) => after.index.sides[side]?.key ?? '').sort(compareText),
      vms: [...vms].sort(compareText),
      addresses: [...addresses].sort(compareText),
      networks,
      world,
    }
  }
}
