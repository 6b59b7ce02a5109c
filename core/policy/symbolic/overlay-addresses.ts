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
  /** The atom of any address, an endpoint's or not. */
  readonly atomOf: (address: Address) => AddressAtom
  /** Per policy, the one endpoint that has all addresses of an atom in a family; null when there are others. */
  readonly ownersOf: (atom: AddressAtom, family: Family) => readonly (EndpointId | null)[]
  /** Two addresses between which there is a packet. */
  readonly examplePair: (
    source: AddressAtom,
    destination: AddressAtom,
    family: Family,
  ) => readonly [source: Address, destination: Address] | null
  /** The families in which a packet from one to the other can be; none = there is no such packet. An endpoint sends itself nothing over the network. */
  readonly familiesOfPair: (source: AddressAtom, destination: AddressAtom) => readonly Family[]
}

interface DraftAtom extends AddressAtom {
  readonly addresses: Address[]
  readonly networks: Prefix[]
  world: boolean
}

/** One policy, or two. */
export function overlayAddresses(
  parts: readonly [ResolvedPolicy] | readonly [ResolvedPolicy, ResolvedPolicy],
): AddressAtoms {
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
  return {
    atoms,
    atomOf: (address) => atomOf(one.identityOf(address), other?.identityOf(address) ?? worldIdentity),
    ...createQuestions(parts, prefixes),
  }
}

function toLayer({ classes, networks, addresses }: ResolvedPolicy) {
  const positions = new Map<number, number>(classes.map((one, at) => [one.identity, at]))
  const exact = new Map<Prefix, number>(networks.map(({ prefix, identity }) => [prefix, identity]))
  let made: ReturnType<typeof createPrefixLookup> | null = null
  const prefixes = () => (made ??= createPrefixLookup(networks))
  const lookup = (address: Address): number => prefixes().ofAddress(toAddressValue(address))
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
    lookup,
    identityOf: (address: Address): number => findAddress(addresses, address)?.identity ?? lookup(address),
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
): Pick<AddressAtoms, 'exampleOf' | 'ownersOf' | 'familiesOfPair' | 'examplePair'> {
  const isTaken = (address: Address): boolean =>
    parts.some((part) => findAddress(part.addresses, address) !== undefined)
  let made: ReturnType<typeof createFreeAddresses> | null = null
  const free = () => (made ??= createFreeAddresses(prefixes, isTaken))
  const known = { 4: [] as (Example | undefined)[], 6: [] as (Example | undefined)[] } // as: an empty list to be filled by atom number

  const findFree = (atom: AddressAtom, family: Family): Address | null => {
    for (const prefix of atom.networks) {
      const found = familyOf(prefix) === family ? free().inside(prefix) : null
      if (found !== null) return found
    }
    return atom.world ? free().outside(family) : null
  }
  const ask = (atom: AddressAtom, family: Family): Example => {
    const already = known[family][atom.number]
    if (already !== undefined) return already
    const own = atom.addresses.filter((address) => familyOf(address) === family)
    const unowned = findFree(atom, family)
    const address = own.find((one) => !one.startsWith('fe80:')) ?? own[0] ?? unowned
    const owners = parts.map((part) => (unowned === null ? onlyOwner(part, own) : null))
    const made = { address, unowned, owners }
    known[family][atom.number] = made
    return made
  }
  const canPair = (source: AddressAtom, destination: AddressAtom, family: Family): boolean => {
    const [one, other] = [ask(source, family), ask(destination, family)]
    if (one.address === null || other.address === null) return false
    for (const [at, owner] of one.owners.entries()) if (owner !== null && owner === other.owners[at]) return false
    return true
  }
  const findApart = (atom: AddressAtom, family: Family, from: Address): Address | null => {
    const isApart = (address: Address): boolean =>
      address !== from &&
      parts.every(({ records }) => {
        const owner = ownerOf(records.claims, address)
        return owner === null || owner !== ownerOf(records.claims, from)
      })
    const { address, unowned } = ask(atom, family)
    if (address !== null && isApart(address)) return address
    return atom.addresses.find((one) => familyOf(one) === family && isApart(one)) ?? unowned
  }
  return {
    exampleOf: (atom, family) => ask(atom, family).address,
    ownersOf: (atom, family) => ask(atom, family).owners,
    familiesOfPair: (source, destination) => {
      if (canPair(source, destination, 4)) return canPair(source, destination, 6) ? bothFamilies : onlyV4
      return canPair(source, destination, 6) ? onlyV6 : noFamily
    },
    examplePair: (source, destination, family) => {
      if (!canPair(source, destination, family)) return null
      const [one, other] = [ask(source, family).address, ask(destination, family).address]
      if (one === null || other === null) return null
      const far = findApart(destination, family, one)
      if (far !== null) return [one, far]
      const near = findApart(source, family, other)
      return near === null ? null : [near, other]
    },
  }
}

interface Example {
  readonly address: Address | null
  /** One that is no endpoint's. */
  readonly unowned: Address | null
  readonly owners: readonly (EndpointId | null)[]
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

function findAddress(entries: Listed, address: Address): Listed[number] | undefined {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle]?.address ?? '') < address) low = middle + 1
    else high = middle
  }
  const entry = entries[low]
  return entry?.address === address ? entry : undefined
}
