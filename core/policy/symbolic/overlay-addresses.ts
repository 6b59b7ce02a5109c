/**
 * The identity classes of one or more resolved policies laid over each other: addresses that none of them tells apart are one atom. What is asked of an
 * atom now and then (who owns it, an address of it) is found out then; most atoms are never asked.
 */
import {
  type Address,
  type EndpointId,
  type Prefix,
  toAddressValue,
  toPrefixValue,
  worldIdentity,
} from '@hyperward/model'

import { ownerOf } from '../resolve/claim-table.ts'
import { compareText } from '../resolve/compare-text.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { createFreeAddresses } from './free-address.ts'
import { createPrefixLookup } from './prefix-lookup.ts'

export interface AddressAtom {
  readonly number: number
  /** Its class in each policy. */
  readonly classes: readonly IdentityClass[]
  /** Endpoints' addresses, sorted. */
  readonly addresses: readonly Address[]
  /** Networks whose addresses (those of no endpoint and no smaller network) are in it. */
  readonly networks: readonly Prefix[]
  /** Addresses of no endpoint and no network are in it. */
  readonly world: boolean
}

export type Family = 4 | 6

export interface AddressAtoms {
  readonly atoms: readonly AddressAtom[]
  /** An address of it: an endpoint's if it has one. Null when it has none of this family. */
  readonly exampleOf: (atom: AddressAtom, family: Family) => Address | null
  /** The families in which a packet from one to the other can be; none = there is no such packet. An endpoint sends itself nothing over the network. */
  readonly familiesOfPair: (source: AddressAtom, destination: AddressAtom) => readonly Family[]
}

interface DraftAtom extends AddressAtom {
  readonly addresses: Address[]
  readonly networks: Prefix[]
  world: boolean
}

/** One policy, or two. */
export function overlayAddresses(parts: readonly [ResolvedPolicy] | readonly [ResolvedPolicy, ResolvedPolicy]): AddressAtoms {
  const [first, second = first] = parts
  const [one, other] = [toLayer(first), first === second ? null : toLayer(second)]
  const atoms: DraftAtom[] = []
  const rows: (DraftAtom | undefined)[][] = []
  const atomOf = (identity: number, otherIdentity: number): DraftAtom => {
    const [at, otherAt] = [one.positionOf(identity), other?.positionOf(otherIdentity) ?? 0]
    const row = (rows[at] ??= [])
    const known = row[otherAt]
    if (known !== undefined) return known
    const classes = [one.classAt(at), ...(other === null ? [] : [other.classAt(otherAt)])]
    const made: DraftAtom = { number: atoms.length, classes, addresses: [], networks: [], world: false }
    atoms.push(made)
    row[otherAt] = made
    return made
  }
  forEachAddress(first.addresses, second.addresses, (address, identity, otherIdentity) => {
    const [here, there] = [identity ?? one.lookup(address), otherIdentity ?? other?.lookup(address) ?? worldIdentity]
    atomOf(here, there).addresses.push(address)
  })
  const prefixes = [...new Set(parts.flatMap((part) => part.networks.map((entry) => entry.prefix)))].sort(compareText)
  for (const prefix of prefixes) {
    atomOf(one.identityOfPrefix(prefix), other?.identityOfPrefix(prefix) ?? worldIdentity).networks.push(prefix)
  }
  atomOf(worldIdentity, worldIdentity).world = true
  return { atoms, ...createQuestions(parts, prefixes) }
}

function toLayer({ classes, networks }: ResolvedPolicy) {
  const positions = new Map<number, number>(classes.map((one, at) => [one.identity, at]))
  const exact = new Map<Prefix, number>(networks.map(({ prefix, identity }) => [prefix, identity]))
  let made: ReturnType<typeof createPrefixLookup> | null = null
  const prefixes = () => (made ??= createPrefixLookup(networks))
  return {
    positionOf: (identity: number): number => {
      const found = positions.get(identity)
      if (found === undefined) throw new Error(`an identity without a class: ${identity}`)
      return found
    },
    classAt: (at: number): IdentityClass => {
      const found = classes[at]
      if (found === undefined) throw new Error(`no class at ${at}`)
      return found
    },
    /** Of an address that is no endpoint's here. */
    lookup: (address: Address): number => prefixes().ofAddress(toAddressValue(address)),
    identityOfPrefix: (prefix: Prefix): number => exact.get(prefix) ?? prefixes().ofPrefix(toPrefixValue(prefix)),
  }
}

type Listed = ResolvedPolicy['addresses']

/** Every endpoint's address of either, in order, with its identity in each; undefined where it is no endpoint's. */
function forEachAddress(
  some: Listed,
  others: Listed,
  visit: (address: Address, identity: number | undefined, other: number | undefined) => void,
): void {
  let other = 0
  for (const { address, identity } of some) {
    let entry = others[other]
    for (; entry !== undefined && entry.address !== address && entry.address < address; entry = others[other]) {
      visit(entry.address, undefined, entry.identity)
      other += 1
    }
    if (entry?.address === address) {
      visit(address, identity, entry.identity)
      other += 1
    } else visit(address, identity, undefined)
  }
  for (const { address, identity } of others.slice(other)) visit(address, undefined, identity)
}

function createQuestions(
  parts: readonly ResolvedPolicy[],
  prefixes: readonly Prefix[],
): Pick<AddressAtoms, 'exampleOf' | 'familiesOfPair'> {
  const isTaken = (address: Address): boolean => parts.some((part) => isListed(part.addresses, address))
  let made: ReturnType<typeof createFreeAddresses> | null = null
  const free = () => (made ??= createFreeAddresses(prefixes, isTaken))
  const examples = { 4: [] as (Address | null | undefined)[], 6: [] as (Address | null | undefined)[] } // as: filled by need
  const owners: (readonly (EndpointId | null)[] | undefined)[] = []

  const find = (atom: AddressAtom, family: Family): Address | null => {
    const own = atom.addresses.filter((address) => familyOf(address) === family)
    const named = own.find((address) => !address.startsWith('fe80:')) ?? own[0]
    if (named !== undefined) return named
    for (const prefix of atom.networks) {
      const found = familyOf(prefix) === family ? free().inside(prefix) : null
      if (found !== null) return found
    }
    return atom.world ? free().outside(family) : null
  }
  const exampleOf = (atom: AddressAtom, family: Family): Address | null => {
    const already = examples[family][atom.number]
    if (already !== undefined) return already
    const found = find(atom, family)
    examples[family][atom.number] = found
    return found
  }
  /** Per part, the one endpoint that has all addresses of an atom; null when there are others. */
  const ownersOf = (atom: AddressAtom): readonly (EndpointId | null)[] => {
    const already = owners[atom.number]
    if (already !== undefined) return already
    const mixed = atom.world || atom.networks.length > 0
    const found = parts.map((part) => (mixed ? null : onlyOwner(part, atom.addresses)))
    owners[atom.number] = found
    return found
  }
  return {
    exampleOf,
    familiesOfPair: (source, destination) => {
      const others = ownersOf(destination)
      for (const [at, owner] of ownersOf(source).entries()) if (owner !== null && owner === others[at]) return noFamily
      const v4 = exampleOf(source, 4) !== null && exampleOf(destination, 4) !== null
      const v6 = exampleOf(source, 6) !== null && exampleOf(destination, 6) !== null
      if (v4) return v6 ? bothFamilies : onlyV4
      return v6 ? onlyV6 : noFamily
    },
  }
}

const noFamily: readonly Family[] = []
const onlyV4: readonly Family[] = [4]
const onlyV6: readonly Family[] = [6]
const bothFamilies: readonly Family[] = [4, 6]

function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4
}

/** The one endpoint that has all the addresses; null where one is another's or, claimed twice, nobody's. */
function onlyOwner({ records }: ResolvedPolicy, addresses: readonly Address[]): EndpointId | null {
  let only: EndpointId | null = null
  for (const address of addresses) {
    const owner = ownerOf(records.claims, address)
    if (owner === null || (only !== null && only !== owner)) return null
    only = owner
  }
  return only
}

function isListed(entries: Listed, address: Address): boolean {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle]?.address ?? '') < address) low = middle + 1
    else high = middle
  }
  return entries[low]?.address === address
}
