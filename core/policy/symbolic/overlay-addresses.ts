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

export function overlayAddresses(parts: readonly ResolvedPolicy[]): AddressAtoms {
  const layers = parts.map(toLayer)
  const atoms: DraftAtom[] = []
  const byClasses = new Map<IdentityClass, Map<IdentityClass, DraftAtom>>()
  const atomOf = (identities: readonly number[]): DraftAtom => {
    const classes = identities.map((identity, at) => layers[at]?.classOf(identity)).filter((one) => one !== undefined)
    const [first] = classes
    const last = classes.at(-1)
    if (first === undefined || last === undefined || classes.length > 2)
      throw new Error('one or two policies are laid over each other')
    const row = byClasses.get(first) ?? new Map<IdentityClass, DraftAtom>()
    byClasses.set(first, row)
    const known = row.get(last)
    if (known !== undefined) return known
    const made = { number: atoms.length, classes, addresses: [], networks: [], world: false }
    atoms.push(made)
    row.set(last, made)
    return made
  }
  forEachAddress(parts, (address, found) => {
    const identities = found.map(
      (one, at) => one ?? layers[at]?.prefixes().ofAddress(toAddressValue(address)) ?? worldIdentity,
    )
    atomOf(identities).addresses.push(address)
  })
  const prefixes = [...new Set(parts.flatMap((part) => part.networks.map((entry) => entry.prefix)))].sort(compareText)
  for (const prefix of prefixes) {
    atomOf(layers.map((layer) => layer.identityOfPrefix(prefix))).networks.push(prefix)
  }
  atomOf(parts.map(() => worldIdentity)).world = true
  return { atoms, ...createQuestions(parts, prefixes) }
}

function toLayer({ classes, networks }: ResolvedPolicy) {
  const byIdentity = new Map<number, IdentityClass>(classes.map((one) => [one.identity, one]))
  const exact = new Map<Prefix, number>(networks.map(({ prefix, identity }) => [prefix, identity]))
  let lookup: ReturnType<typeof createPrefixLookup> | null = null
  const prefixes = () => (lookup ??= createPrefixLookup(networks))
  return {
    classOf: (identity: number): IdentityClass => {
      const found = byIdentity.get(identity)
      if (found === undefined) throw new Error(`an identity without a class: ${identity}`)
      return found
    },
    prefixes,
    identityOfPrefix: (prefix: Prefix): number => exact.get(prefix) ?? prefixes().ofPrefix(toPrefixValue(prefix)),
  }
}

/** Every endpoint's address of any part, in order, with its identity in each; undefined where it is no endpoint's. */
function forEachAddress(
  parts: readonly ResolvedPolicy[],
  visit: (address: Address, identities: readonly (number | undefined)[]) => void,
): void {
  const places = parts.map(() => 0)
  for (;;) {
    let least: Address | undefined
    for (const [at, { addresses }] of parts.entries()) {
      const address = addresses[places[at] ?? 0]?.address
      if (address !== undefined && (least === undefined || address < least)) least = address
    }
    if (least === undefined) return
    const address = least
    const identities = parts.map(({ addresses }, at) => {
      const entry = addresses[places[at] ?? 0]
      if (entry?.address !== address) return undefined
      places[at] = (places[at] ?? 0) + 1
      return entry.identity
    })
    visit(address, identities)
  }
}

function createQuestions(
  parts: readonly ResolvedPolicy[],
  prefixes: readonly Prefix[],
): Pick<AddressAtoms, 'exampleOf' | 'familiesOfPair'> {
  const isTaken = (address: Address): boolean => parts.some((part) => isListed(part.addresses, address))
  let made: ReturnType<typeof createFreeAddresses> | null = null
  const free = () => (made ??= createFreeAddresses(prefixes, isTaken))
  const examples = new Map<AddressAtom, Map<Family, Address | null>>()
  const owners = new Map<AddressAtom, readonly (EndpointId | null)[]>()

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
    const known = examples.get(atom) ?? new Map<Family, Address | null>()
    examples.set(atom, known)
    const already = known.get(family)
    if (already !== undefined) return already
    const found = find(atom, family)
    known.set(family, found)
    return found
  }
  /** Per part, the one endpoint that has all addresses of an atom; null when there are others. */
  const ownersOf = (atom: AddressAtom): readonly (EndpointId | null)[] => {
    const already = owners.get(atom)
    if (already !== undefined) return already
    const mixed = atom.world || atom.networks.length > 0
    const found = parts.map((part) => (mixed ? null : onlyOwner(part, atom.addresses)))
    owners.set(atom, found)
    return found
  }
  return {
    exampleOf,
    familiesOfPair: (source, destination) => {
      const others = ownersOf(destination)
      if (ownersOf(source).some((owner, at) => owner !== null && owner === others[at])) return []
      return families.filter((one) => exampleOf(source, one) !== null && exampleOf(destination, one) !== null)
    },
  }
}

const families = [4, 6] as const

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

function isListed(entries: readonly { readonly address: Address }[], address: Address): boolean {
  return search(entries, address) !== undefined
}

function search<T extends { readonly address: Address }>(entries: readonly T[], address: Address): T | undefined {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle]?.address ?? '') < address) low = middle + 1
    else high = middle
  }
  return entries[low]?.address === address ? entries[low] : undefined
}
