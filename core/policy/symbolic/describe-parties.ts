/** Sets of atoms for a reader: whole groups by name where the set holds all of a group, then the VMs, addresses, networks that are left. */
import type { Address, Prefix, TenantName } from '@hyperward/model'

import { ownerOf } from '../resolve/claim-table.ts'
import { compareText } from '../resolve/compare-text.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import type { AddressAtom } from './overlay-addresses.ts'

/** One kind of address: no policy asked tells two of its members apart. */
export interface Party {
  readonly tenant: TenantName | null
  /** Names of the VMs that have the addresses, as `tenant/vm`, sorted. */
  readonly vms: readonly string[]
  readonly addresses: readonly Address[]
  readonly networks: readonly Prefix[]
  /** Every address that is in nothing. */
  readonly world: boolean
}

export interface PartySummary extends PartyNames {
  /** How many endpoints' addresses the set has in all. */
  readonly addresses: number
  /** Most are in it: everything but these; then the names above are empty. Null where it is listed by what is in it. */
  readonly anyBut: PartyNames | null
}

export interface PartyNames {
  /** Groups (or lists of groups, as rules name them) whose every member is in the set. */
  readonly groups: readonly string[]
  /** VMs as `tenant/vm`, of which no group above has all addresses in the set. */
  readonly vms: readonly string[]
  readonly networks: readonly Prefix[]
  readonly world: boolean
}

export interface PartyWriter {
  readonly toParty: (atom: AddressAtom) => Party
  readonly summarize: (atoms: readonly AddressAtom[]) => PartySummary
}

/** `parts` as the atoms were made of; names are those of the last. `all`: every atom. */
export function createPartyWriter(parts: readonly ResolvedPolicy[], all: readonly AddressAtom[]): PartyWriter {
  const parties = new Map<AddressAtom, Party>()
  const last = parts.at(-1)
  let made: ReturnType<typeof createOwnerNames> | null = null
  const vmOf = (address: Address): string | undefined => (made ??= createOwnerNames(parts))(address)
  let sides: ReadonlyMap<number, readonly AddressAtom[]> | null = null
  const toParty = (atom: AddressAtom): Party => {
    const already = parties.get(atom)
    if (already !== undefined) return already
    const { addresses, networks, world } = atom
    const vms = new Set(addresses.map(vmOf).filter((name) => name !== undefined))
    const tenant = atom.classes.findLast((one) => one.signature.tenant !== null)?.signature.tenant ?? null
    const made = { tenant, vms: [...vms].sort(compareText), addresses, networks, world }
    parties.set(atom, made)
    return made
  }
  /** Whole groups first, the largest before others; then what no whole group has. */
  const nameAll = (atoms: readonly AddressAtom[]): PartyNames => {
    sides ??= indexSides(all)
    const inside = new Set(atoms)
    const left = new Set(atoms)
    const candidates = new Set<number>()
    for (const atom of atoms) for (const side of atom.classes.at(-1)?.signature.sides ?? []) candidates.add(side)
    const whole = [...candidates]
      .map((side) => ({ side, members: sides?.get(side) ?? [] }))
      .filter(({ members }) => members.every((one) => inside.has(one)))
      .sort((a, b) => b.members.length - a.members.length || a.side - b.side)
    const groups: string[] = []
    for (const { side, members } of whole) {
      if (!members.some((one) => left.has(one))) continue
      groups.push(last?.index.sides[side]?.key ?? '')
      for (const one of members) left.delete(one)
    }
    const rest = [...left].map(toParty)
    return {
      groups,
      vms: [...new Set(rest.flatMap(({ vms }) => vms))].sort(compareText),
      networks: rest.flatMap(({ networks }) => networks).sort(compareText),
      world: rest.some(({ world }) => world),
    }
  }
  return {
    toParty,
    summarize: (atoms) => {
      const addresses = atoms.reduce((sum, atom) => sum + atom.addresses.length, 0)
      const inside = new Set(atoms)
      const missing = all.length > 2 && atoms.length * 2 > all.length ? all.filter((atom) => !inside.has(atom)) : null
      if (missing === null) return { ...nameAll(atoms), addresses, anyBut: null }
      return { groups: [], vms: [], networks: [], world: false, addresses, anyBut: nameAll(missing) }
    },
  }
}

function indexSides(all: readonly AddressAtom[]): ReadonlyMap<number, readonly AddressAtom[]> {
  const found = new Map<number, AddressAtom[]>()
  for (const atom of all) {
    for (const side of atom.classes.at(-1)?.signature.sides ?? []) {
      if (found.get(side)?.push(atom) === undefined) found.set(side, [atom])
    }
  }
  return found
}

/** Found by the endpoint that claims the address: most addresses are never asked for. */
function createOwnerNames(parts: readonly ResolvedPolicy[]): (address: Address) => string | undefined {
  const names = parts.map(({ records }) => ({
    claims: records.claims,
    byUuid: new Map<string, string>(
      records.vms.map(({ vm }) => [vm.uuid, vm.tenant === null ? vm.name : `${vm.tenant}/${vm.name}`]),
    ),
  }))
  return (address) => {
    for (const { claims, byUuid } of names.toReversed()) {
      const [uuid] = ownerOf(claims, address)?.split('/') ?? []
      if (uuid !== undefined) return byUuid.get(uuid)
    }
    return undefined
  }
}
