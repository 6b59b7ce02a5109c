/** Who can reach an endpoint or an address, whom it can reach, with which services and by which rules: exactly, over all addresses there are. */
import { type Address, defaultDropRef, type EndpointId, type GroupName, type RuleRef } from '@hyperward/model'

import type { Decision } from '../compile/answer.ts'
import type { FlowVerdict } from '../explain/combine-verdicts.ts'
import { ownerOf } from '../resolve/claim-table.ts'
import { compareText } from '../resolve/compare-text.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { createPartyWriter, type Party, type PartySummary } from '../symbolic/describe-parties.ts'
import { describeServices, type ServiceSet } from '../symbolic/describe-services.ts'
import { createFates, type Fate, type FateMap } from '../symbolic/fates.ts'
import { type AddressAtom, type AddressAtoms, overlayAddresses } from '../symbolic/overlay-addresses.ts'
import { refineServices, type ServiceAtoms } from '../symbolic/refine-services.ts'

export interface Reach {
  /** Who can reach it. */
  readonly incoming: readonly ReachEntry[]
  /** Whom it can reach. */
  readonly outgoing: readonly ReachEntry[]
}

/** Between each of `addresses` and each address of the peers, of one family, each of the services passes so. The widest entry comes first. */
export interface ReachEntry {
  /** Those asked for that the entry is about. */
  readonly addresses: readonly Address[]
  readonly peers: readonly Party[]
  /** The same for a reader: groups by name where all of them are in. */
  readonly summary: PartySummary
  readonly services: ServiceSet
  readonly verdict: Exclude<FlowVerdict, 'drop' | 'reject' | 'not-enforced'>
  readonly profile: GroupName | null
  /** The rules that let it pass, at the source's endpoint and at the destination's; null where the address is no endpoint's. */
  readonly egress: RuleRef | null
  readonly ingress: RuleRef | null
}

/** `addresses`: of one endpoint, of one VM, or any address. What passes between two addresses that are no endpoint's is none of ours and not told. */
export function reachOf(resolved: ResolvedPolicy, addresses: readonly Address[]): Reach {
  const atoms = overlayAddresses([resolved])
  const services = refineServices([resolved.index.services.classes])
  const fates = createFates(resolved)
  const describe = createDescriber(resolved, atoms, services)
  const openings = createOpenings(services)
  const subjects = listSubjects(resolved, atoms, addresses)
  const ask = (incoming: boolean): readonly ReachEntry[] => {
    const rows = new Map<string, Row>()
    for (const [number, { atom, own, owner }] of subjects.entries()) {
      const [subjectClass] = atom.classes
      for (const peer of atoms.atoms) {
        const [peerClass] = peer.classes
        if (subjectClass === undefined || peerClass === undefined || !canMeet(atoms, own, owner, peer)) continue
        const map = incoming ? fates.between(peerClass, subjectClass) : fates.between(subjectClass, peerClass)
        for (const opening of openings(map)) {
          const key = `${number} ${opening.key}`
          const row = rows.get(key) ?? { own, owner, peers: [], opening }
          row.peers.push(peer)
          rows.set(key, row)
        }
      }
    }
    return [...rows.values()].map(describe).sort(byWidth)
  }
  return { incoming: ask(true), outgoing: ask(false) }
}

/** Addresses that are asked about together: of one endpoint (or of none), and in one atom. What each endpoint cannot meet is itself, so no two are one subject. */
interface Subject {
  readonly atom: AddressAtom
  readonly own: readonly Address[]
  readonly owner: EndpointId | null
}

function listSubjects(
  { records }: ResolvedPolicy,
  { atomOf }: AddressAtoms,
  addresses: readonly Address[],
): readonly Subject[] {
  const subjects = new Map<string, Subject & { readonly own: Address[] }>()
  for (const address of new Set(addresses)) {
    const atom = atomOf(address)
    const owner = ownerOf(records.claims, address)
    const key = `${atom.number} ${owner ?? ''}`
    const subject = subjects.get(key) ?? { atom, own: [], owner }
    subject.own.push(address)
    subjects.set(key, subject)
  }
  return [...subjects.values()]
}

interface Row {
  readonly own: readonly Address[]
  readonly owner: EndpointId | null
  readonly peers: AddressAtom[]
  readonly opening: Opening
}

interface Opening {
  readonly key: string
  readonly fate: Fate
  readonly verdict: ReachEntry['verdict']
  readonly services: readonly number[]
}

/** What a fate lets pass, services of one decision together. */
function createOpenings({ atoms }: ServiceAtoms): (map: FateMap) => readonly Opening[] {
  const known = new Map<number, readonly Opening[]>()
  const list = (map: FateMap): readonly Opening[] => {
    const found = new Map<string, { fate: Fate; verdict: ReachEntry['verdict']; services: number[] }>()
    for (const { number, classes } of atoms) {
      const fate = map.byClass.get(classes[0] ?? 0) ?? map.rest
      const { verdict, profile } = fate
      if (verdict === 'drop' || verdict === 'reject' || verdict === 'not-enforced') continue
      const key = `${verdict} ${profile ?? ''} ${refOf(fate.egress) ?? ''} ${refOf(fate.ingress) ?? ''}`
      const opening = found.get(key) ?? { fate, verdict, services: [] }
      opening.services.push(number)
      found.set(key, opening)
    }
    return [...found].map(([key, opening]) => ({ ...opening, key: `${key} ${opening.services.join()}` }))
  }
  return (map) => {
    const already = known.get(map.number)
    if (already !== undefined) return already
    const found = list(map)
    known.set(map.number, found)
    return found
  }
}

/** There is a packet between one of the addresses and the atom: of one family, and not an endpoint's to itself. */
function canMeet(
  { exampleOf, ownersOf }: AddressAtoms,
  own: readonly Address[],
  owner: EndpointId | null,
  peer: AddressAtom,
): boolean {
  return own.some((address) => {
    const family = address.includes(':') ? 6 : 4
    const [only = null] = ownersOf(peer, family)
    return exampleOf(peer, family) !== null && (only === null || owner !== only)
  })
}

function createDescriber(
  resolved: ResolvedPolicy,
  { atoms }: AddressAtoms,
  services: ServiceAtoms,
): (row: Row) => ReachEntry {
  const { toParty, summarize } = createPartyWriter([resolved], atoms)
  return ({ own, owner, peers, opening }) => ({
    addresses: own,
    peers: peers.map((peer) => leaveOut(resolved, toParty(peer), owner)),
    summary: summarize(peers),
    services: describeServices(services, opening.services),
    verdict: opening.verdict,
    profile: opening.fate.profile,
    egress: refOf(opening.fate.egress),
    ingress: refOf(opening.fate.ingress),
  })
}

/** An endpoint among others of its kind: what is asked about is not its own peer. */
function leaveOut({ records }: ResolvedPolicy, party: Party, owner: EndpointId | null): Party {
  if (owner === null) return party
  const addresses = party.addresses.filter((address) => ownerOf(records.claims, address) !== owner)
  return addresses.length === party.addresses.length ? party : { ...party, addresses }
}

function refOf(decision: Decision | null): RuleRef | null {
  return decision === null ? null : (decision.rule?.rule.ref ?? defaultDropRef)
}

function byWidth(a: ReachEntry, b: ReachEntry): number {
  const world = (entry: ReachEntry): number => Number(entry.peers.some((peer) => peer.world))
  const width = (entry: ReachEntry): number => entry.peers.reduce((sum, { addresses }) => sum + addresses.length, 0)
  return (
    world(b) - world(a) ||
    width(b) - width(a) ||
    compareText(`${a.ingress ?? ''} ${a.egress ?? ''}`, `${b.ingress ?? ''} ${b.egress ?? ''}`) ||
    compareText(a.services.texts.join(), b.services.texts.join())
  )
}
