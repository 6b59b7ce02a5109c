/**
 * Whether each guarantee of a policy holds over every packet of which one end at least is an endpoint; where not, a packet that breaks it. Computed over
 * identity classes, not sampled. An endpoint's packets to itself are none of the network's.
 */
import type { Guarantee, Packet } from '@hyperward/model'

import { type Explanation, explain } from '../explain/explain.ts'
import { anySide, type IndexedRule } from '../resolve/policy-index.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { createFates, type FateMap, type Fates } from '../symbolic/fates.ts'
import { type AddressAtom, type AddressAtoms, overlayAddresses } from '../symbolic/overlay-addresses.ts'
import { pickPacket } from '../symbolic/pick-packet.ts'
import { refineServices, type ServiceAtom, type ServiceAtoms } from '../symbolic/refine-services.ts'
import { createPairWalk } from './pair-walk.ts'
import { type Breach, judgeGuarantee } from './judge-guarantee.ts'
import { stateGuarantees } from './state-guarantees.ts'

export interface GuaranteeResult {
  readonly guarantee: Guarantee
  readonly holds: boolean
  /** It says something about no packet at all: a side has no member, or no packet can be between the two. It holds, and protects nothing. */
  readonly vacuous: boolean
  /** Pairs of address kinds (identities, cut where guarantees name more than rules do) that break it. */
  readonly brokenPairs: number
  /** More pairs than `brokenPairs` may break it: they were not counted one by one. Whether it holds is exact all the same. */
  readonly countIsBound: boolean
  /** The worst: what passes uninspected before what passes inspected. Null when it holds. */
  readonly counterexample: Counterexample | null
}

export interface Counterexample {
  readonly packet: Packet
  readonly explanation: Explanation
}

export interface ProofLimits {
  /** Up to so many pairs of one guarantee are judged, and counted, one by one. */
  readonly pairs?: number
}

/** In the order of the policy. */
export function proveGuarantees(resolved: ResolvedPolicy, limits: ProofLimits = {}): readonly GuaranteeResult[] {
  if (resolved.policy.guarantees.length === 0) return []
  const stated = stateGuarantees(resolved)
  const world: World = {
    resolved,
    fates: createFates(resolved),
    addresses: overlayAddresses([resolved, stated]),
    services: refineServices([resolved.index.services.classes, stated.index.services.classes]),
  }
  const walkPairs = createPairWalk(world.fates, world.addresses, limits.pairs)
  return resolved.policy.guarantees.map((guarantee, at) => {
    const rule = stated.index.rules[at]
    if (rule === undefined) throw new Error(`a guarantee without its statement: ${guarantee.name}`)
    return prove(world, guarantee, rule, walkPairs)
  })
}

interface World {
  readonly resolved: ResolvedPolicy
  readonly fates: Fates
  readonly addresses: AddressAtoms
  readonly services: ServiceAtoms
}

function prove(
  { resolved, addresses, services }: World,
  guarantee: Guarantee,
  rule: IndexedRule,
  walkPairs: ReturnType<typeof createPairWalk>,
): GuaranteeResult {
  const sources = listMembers(addresses.atoms, rule.source)
  const destinations = listMembers(addresses.atoms, rule.destination)
  const judge = createJudge(guarantee, rule, services)
  let pairs = 0
  let brokenPairs = 0
  const worst: { found: Broken | null } = { found: null }
  const bounded = walkPairs(sources, destinations, (source, destination, fates) => {
    pairs += 1
    for (const { breach, service } of judge(fates)) {
      const packet = pickPacket(addresses, services, { source, destination, service })
      if (packet === null) continue
      brokenPairs += 1
      if (worst.found === null || breach > worst.found.breach) worst.found = { breach, packet }
      return
    }
  })
  const { found } = worst
  return {
    guarantee,
    holds: found === null,
    vacuous: pairs === 0,
    brokenPairs,
    countIsBound: bounded && found !== null,
    counterexample: found === null ? null : { packet: found.packet, explanation: explain(resolved, found.packet) },
  }
}

interface Broken {
  readonly breach: Breach
  readonly packet: Packet
}

function listMembers(atoms: readonly AddressAtom[], side: number): readonly AddressAtom[] {
  return side === anySide ? atoms : atoms.filter((atom) => atom.classes[1]?.signature.sides.has(side) === true)
}

interface Finding {
  readonly breach: Breach
  readonly service: ServiceAtom
}

/** Services of the guarantee that a fate breaks it with, worst first; each fate is judged once. */
function createJudge(
  guarantee: Guarantee,
  { classes }: IndexedRule,
  services: ServiceAtoms,
): (fates: FateMap) => readonly Finding[] {
  const named = classes === null ? null : new Set(classes)
  const wanted = services.atoms.filter((atom) => named === null || named.has(atom.classes[1] ?? 0))
  const known = new Map<number, readonly Finding[]>()
  return (fates) => {
    const already = known.get(fates.number)
    if (already !== undefined) return already
    const found = wanted
      .map((service) => ({
        service,
        breach: judgeGuarantee(guarantee, fates.byClass.get(service.classes[0] ?? 0) ?? fates.rest),
      }))
      .filter(({ breach }) => breach > 0)
      .sort((a, b) => b.breach - a.breach)
    known.set(fates.number, found)
    return found
  }
}
