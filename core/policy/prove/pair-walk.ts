/**
 * Every pair of two lists of atoms with its fate, without visiting each where the lists are long: to most peers a class says one thing (its fall-back),
 * so pairs that are nothing special to each other are taken together, by what both sides say to peers like that.
 */
import type { Direction } from '@hyperward/model'

import type { IdentityClass } from '../resolve/resolved-policy.ts'
import type { FateMap, Fates } from '../symbolic/fates.ts'
import type { AddressAtom, AddressAtoms } from '../symbolic/overlay-addresses.ts'
import { createPairRows } from '../symbolic/pair-rows.ts'

export type Visit = (source: AddressAtom, destination: AddressAtom, fates: FateMap) => void

/** Up to so many pairs are visited one by one. */
const oneByOne = 2_000_000

/**
 * Visits pairs between which there are packets and of which one at least is an endpoint's. Gives true when pairs were taken together: then not each was
 * visited, but of each fate and each combination of address families one was.
 */
export function createPairWalk(
  fates: Fates,
  addresses: AddressAtoms,
  limit = oneByOne,
): (sources: readonly AddressAtom[], destinations: readonly AddressAtom[], visit: Visit) => boolean {
  const { atoms, familiesOfPair } = addresses
  let index: ReadonlyMap<number, readonly number[]> | null = null
  const specialTo = (direction: Direction, local: AddressAtom): readonly number[] => {
    index ??= indexUnlikeWorld(atoms)
    const found = new Set<number>()
    for (const side of fates.peerSidesOf(direction, classOf(local))) {
      for (const number of index.get(side) ?? []) found.add(number)
    }
    return [...found]
  }
  const visitPair = (source: AddressAtom, destination: AddressAtom, visit: Visit): void => {
    const [from, to] = [classOf(source), classOf(destination)]
    if (from.signature.tenant === null && to.signature.tenant === null) return
    if (familiesOfPair(source, destination).length > 0) visit(source, destination, fates.between(from, to))
  }
  const walkAll = (sources: readonly AddressAtom[], destinations: readonly AddressAtom[], visit: Visit): void => {
    for (const source of sources) {
      for (const destination of destinations) {
        visitPair(source, destination, visit)
      }
    }
  }
  return (sources, destinations, visit) => {
    if (sources.length * destinations.length <= limit) {
      walkAll(sources, destinations, visit)
      return false
    }
    const special = createPairRows(atoms.length)
    const [inSources, inDestinations] = [toNumbers(sources), toNumbers(destinations)]
    for (const source of sources) {
      special.addProduct(
        [source.number],
        specialTo('egress', source).filter((one) => inDestinations.has(one)),
      )
    }
    for (const destination of destinations) {
      special.addProduct(
        specialTo('ingress', destination).filter((one) => inSources.has(one)),
        [destination.number],
      )
    }
    for (const from of special.sources()) {
      for (const to of special.destinationsOf(from)) {
        const [source, destination] = [atoms[from], atoms[to]]
        if (source !== undefined && destination !== undefined) visitPair(source, destination, visit)
      }
    }
    const groupsOf = (direction: Direction, list: readonly AddressAtom[]) => [
      ...Map.groupBy(
        list,
        (atom) => `${fates.fallbackOf(direction, classOf(atom))} ${familiesOf(addresses, atom)}`,
      ).values(),
    ]
    const alikeDestinations = groupsOf('ingress', destinations)
    for (const some of groupsOf('egress', sources)) {
      for (const others of alikeDestinations) {
        const pair = findOrdinary(addresses, some, others, special.has)
        if (pair === null) continue
        visitPair(...pair, visit)
      }
    }
    return true
  }
}

/** A pair that stands for all of two groups which are alike: neither is special to the other, and it is not an endpoint with itself. */
function findOrdinary(
  addresses: AddressAtoms,
  sources: readonly AddressAtom[],
  destinations: readonly AddressAtom[],
  isSpecial: (source: number, destination: number) => boolean,
): readonly [AddressAtom, AddressAtom] | null {
  const [first, other] = [sources[0], destinations[0]]
  if (first === undefined || other === undefined) return null
  if ((familiesOf(addresses, first) & familiesOf(addresses, other)) === 0) return null
  for (const source of sources) {
    for (const destination of destinations) {
      if (isSpecial(source.number, destination.number)) continue
      if (addresses.familiesOfPair(source, destination).length > 0) return [source, destination]
    }
  }
  return null
}

/** Bits: 1 = IPv4, 2 = IPv6. */
function familiesOf({ exampleOf }: AddressAtoms, atom: AddressAtom): number {
  return Number(exampleOf(atom, 4) !== null) + 2 * Number(exampleOf(atom, 6) !== null)
}

/** Side number → atoms that are in it where the world is not, or the other way round. */
function indexUnlikeWorld(atoms: readonly AddressAtom[]): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>()
  for (const atom of atoms) {
    for (const side of classOf(atom).signature.unlikeWorld) {
      if (found.get(side)?.push(atom.number) === undefined) found.set(side, [atom.number])
    }
  }
  return found
}

function classOf({ classes: [first] }: AddressAtom): IdentityClass {
  if (first === undefined) throw new Error('an atom of no policy')
  return first
}

function toNumbers(atoms: readonly AddressAtom[]): ReadonlySet<number> {
  return new Set(atoms.map((atom) => atom.number))
}
