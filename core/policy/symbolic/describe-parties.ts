/** Sets of atoms for a reader: whole groups by name where the set holds all of a group, then the VMs, addresses, networks that are left. */
import type { Address, Prefix, TenantName } from '@hyperward/model'

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

export interface PartySummary {
  /** Groups (or lists of groups, as rules name them) whose every member is in the set. */
  readonly groups: readonly string[]
  /** VMs as `tenant/vm`, of which no group above has all addresses in the set. */
  readonly vms: readonly string[]
  readonly networks: readonly Prefix[]
  readonly world: boolean
  /** How many endpoints' addresses the set has in all. */
  readonly addresses: number
}

export interface PartyWriter {
  readonly toParty: (atom: AddressAtom) => Party
  readonly summarize: (atoms: readonly AddressAtom[]) => PartySummary
}

/** `parts` as the atoms were made of; names are those of the last. `all`: every atom. */
export function createPartyWriter(parts: readonly ResolvedPolicy[], all: readonly AddressAtom[]): PartyWriter {
  const parties = new Map<AddressAtom, Party>()
  const last = parts.at(-1)
  let owners: ReadonlyMap<Address, string> | null = null
  const vmOf = (address: Address): string | undefined => (owners ??= nameOwners(parts)).get(address)
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
  return {
    toParty,
    summarize: (atoms) => {
      sides ??= indexSides(all)
      const groups: string[] = []
      const left = new Set(atoms)
      if (left.size === all.length) groups.push('any')
      const inside = new Set(atoms)
      const candidates = new Set(atoms.flatMap((atom) => [...(atom.classes.at(-1)?.signature.sides ?? [])]))
      const whole = [...candidates]
        .map((side) => ({ side, members: sides?.get(side) ?? [] }))
        .filter(({ members }) => members.every((one) => inside.has(one)))
        .sort((a, b) => b.members.length - a.members.length || a.side - b.side)
      for (const { side, members } of groups.length > 0 ? [] : whole) {
        if (!members.some((one) => left.has(one))) continue
        groups.push(last?.index.sides[side]?.key ?? '')
        for (const one of members) left.delete(one)
      }
      const rest = groups.includes('any') ? [] : [...left].map(toParty)
      return {
        groups,
        vms: [...new Set(rest.flatMap(({ vms }) => vms))].sort(compareText),
        networks: rest.flatMap(({ networks }) => networks).sort(compareText),
        world: rest.some(({ world }) => world),
        addresses: atoms.reduce((sum, atom) => sum + atom.addresses.length, 0),
      }
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

function nameOwners(parts: readonly ResolvedPolicy[]): ReadonlyMap<Address, string> {
  const names = new Map<Address, string>()
  for (const { records } of parts) {
    for (const { vm, claims } of records.vms) {
      const name = vm.tenant === null ? vm.name : `${vm.tenant}/${vm.name}`
      for (const claim of claims) names.set(claim.address, name)
    }
  }
  return names
}
