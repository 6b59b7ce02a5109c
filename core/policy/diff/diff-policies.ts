/**
 * Which connections change their fate between two resolved policies: computed over all of them, not sampled. Addresses and services are cut into atoms that
 * neither policy tells apart; a pair of atoms is judged end to end (egress at the source's endpoint and ingress at the destination's), before and after.
 */
import type { Action, Address, Direction, Prefix, RuleRef, TenantName } from '@hyperward/model'
import { defaultDropRef, worldIdentity } from '@hyperward/model'

import { type FirstMatches, matchesOfPeer, selectLocalRules } from '../compile/verdict-rows.ts'
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
  const answersBefore = answerAll(
    before,
    atoms.map((atom) => atom.before),
  )
  const answersAfter = answerAll(
    after,
    atoms.map((atom) => atom.after),
  )
  const compare = createComparison(services, answersBefore.matches, answersAfter.matches)
  const pairs: ChangedPair[] = []
  let changedPairs = 0
  for (const [from, source] of atoms.entries()) {
    for (const [to, destination] of atoms.entries()) {
      const changes = compare(answersBefore.ofPair(from, to), answersAfter.ofPair(from, to))
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

/** Numbers of answers: index into `matches`; 0 = not enforced. */
type PairAnswers = readonly [egress: number, ingress: number]

interface Answers {
  readonly matches: readonly (FirstMatches | null)[]
  /** By positions in the list of classes. */
  readonly ofPair: (source: number, destination: number) => PairAnswers
}

/** What each class, as the enforced side, answers to each other. A peer in none of the sides a class's rules name gets the one answer for all such. */
function answerAll(resolved: ResolvedPolicy, classes: readonly IdentityClass[]): Answers {
  const inSide = new Map<number, number[]>()
  for (const [at, { signature }] of classes.entries()) {
    for (const side of signature.sides) inSide.set(side, [...(inSide.get(side) ?? []), at])
  }
  const matches: (FirstMatches | null)[] = [null]
  const world = classes.find((one) => one.identity === worldIdentity)
  const answersOf = (local: IdentityClass, direction: Direction): Uint32Array => {
    const answers = new Uint32Array(classes.length)
    if (local.signature.tenant === null || world === undefined) return answers
    const rules = selectLocalRules(resolved.index, local, direction)
    answers.fill(matches.push(matchesOfPeer(rules, world)) - 1)
    const known = new Map<string, number>()
    for (const at of new Set([...rules.peerSides].flatMap((side) => inSide.get(side) ?? []))) {
      const peer = classes[at]
      if (peer === undefined) continue
      const key = [...rules.peerSides].filter((side) => peer.signature.sides.has(side)).join()
      const answer = known.get(key) ?? matches.push(matchesOfPeer(rules, peer)) - 1
      known.set(key, answer)
      answers[at] = answer
    }
    return answers
  }
  const egress = classes.map((local) => answersOf(local, 'egress'))
  const ingress = classes.map((local) => answersOf(local, 'ingress'))
  return {
    matches,
    ofPair: (source, destination) => [egress[source]?.[destination] ?? 0, ingress[destination]?.[source] ?? 0],
  }
}

/** Most pairs share their answers with many others: each combination of answers is compared once. */
function createComparison(
  services: readonly ServiceAtom[],
  before: Answers['matches'],
  after: Answers['matches'],
): (first: PairAnswers, second: PairAnswers) => readonly Change[] {
  const known = new Map<string, readonly Change[]>()
  const toMatches = (matches: Answers['matches'], [egress, ingress]: PairAnswers): PairMatches => ({
    egress: matches[egress] ?? null,
    ingress: matches[ingress] ?? null,
  })
  const sameSides = new Map<string, boolean>()
  const isSame = (one: number, other: number): boolean => {
    const key = `${one},${other}`
    const same = sameSides.get(key) ?? sameActions(before[one] ?? null, after[other] ?? null, services)
    sameSides.set(key, same)
    return same
  }
  return (first, second) => {
    // two sides that answer as before make a verdict as before: nearly every pair ends here
    if (isSame(first[0], second[0]) && isSame(first[1], second[1])) return []
    const key = `${first[0]},${first[1]},${second[0]},${second[1]}`
    const changes = known.get(key) ?? comparePair(toMatches(before, first), toMatches(after, second), services)
    known.set(key, changes)
    return changes
  }
}

function sameActions(
  before: FirstMatches | null,
  after: FirstMatches | null,
  services: readonly ServiceAtom[],
): boolean {
  if (before === null || after === null) return before === after
  return services.every((service) => actionOf(before, service.before) === actionOf(after, service.after))
}

function actionOf(matches: FirstMatches, service: number): Action {
  return (matches.byClass.get(service) ?? matches.rest)?.rule.action ?? 'drop'
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
