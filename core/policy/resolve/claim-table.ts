/** Which endpoint claims which address, sorted; built at once or patched by what changed. The outcome is the same. */
import type { Address, AddressIdentity, EndpointId } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { Claim, IdentityClass, VmRecord } from './resolved-policy.ts'
import type { LeafSet } from './signature-table.ts'

export interface ClaimTable {
  /** Sorted by address, then endpoint; an address that two endpoints claim stands here twice. Without the patches still to be made. */
  readonly base: readonly Claim[]
  /** What came and went since, in order. Few: putting off what only a draft asks for keeps a change of the inventory cheap. */
  readonly pending: readonly ClaimPatch[]
  /** Addresses claimed more than once. */
  readonly taken: ReadonlySet<string>
  /** How many addresses have each set of leaves, those taken left out. */
  readonly uses: ReadonlyMap<LeafSet, number>
}

export interface ClaimPatch {
  readonly removed: readonly Claim[]
  readonly added: readonly Claim[]
}

/** Beyond this, building anew is cheaper than patching. */
const patchLimit = 256
const pendingLimit = 64

/** Sorted by address, then endpoint, up to date. */
export function listClaims({ base, pending }: ClaimTable): readonly Claim[] {
  if (pending.length === 0) return base
  const claims = base.slice()
  for (const { removed, added } of pending) patchInPlace(claims, removed, added)
  return claims
}

export function buildClaimTable(records: Iterable<VmRecord>): ClaimTable {
  const byAddress = new Map<string, Claim[] | Claim>()
  const taken = new Set<string>()
  for (const record of records) {
    for (const claim of record.claims) {
      const others = byAddress.get(claim.address)
      if (others !== undefined) taken.add(claim.address)
      byAddress.set(claim.address, others === undefined ? claim : [others, claim].flat())
    }
  }
  // without a comparison of ours the sort of texts is several times faster, and in the same order
  const claims = [...byAddress.keys()].sort().flatMap((address) => byClaimant(byAddress.get(address) ?? []))
  return { base: claims, pending: [], taken, uses: countUses(claims, taken) }
}

/** The one endpoint whose address it is; null when it is nobody's, or claimed twice. */
export function ownerOf({ base, pending, taken }: ClaimTable, address: Address): EndpointId | null {
  if (taken.has(address)) return null
  for (const { removed, added } of pending.toReversed()) {
    const claim = added.find((one) => one.address === address)
    if (claim !== undefined) return claim.endpoint
    if (removed.some((one) => one.address === address)) return null
  }
  const claim = base[findIndex(base, address)]
  return claim?.address === address ? claim.endpoint : null
}

function countUses(claims: readonly Claim[], taken: ReadonlySet<string>): ReadonlyMap<LeafSet, number> {
  const uses = new Map<LeafSet, number>()
  for (const { address, leafSet } of claims) if (!taken.has(address)) uses.set(leafSet, (uses.get(leafSet) ?? 0) + 1)
  return uses
}

function byClaimant(claims: readonly Claim[] | Claim): readonly Claim[] | Claim {
  return 'length' in claims ? [...claims].sort((a, b) => compareText(a.endpoint, b.endpoint)) : claims
}

/** Null when patching does not apply: too much changed, or an address is or would be claimed twice. `addresses`: those of the table, none of them taken. */
export function patchClaimTable(
  table: ClaimTable,
  addresses: readonly AddressIdentity[],
  gone: readonly VmRecord[],
  changed: readonly VmRecord[],
): ClaimTable | null {
  const removed = gone.flatMap((record) => record.claims)
  const added = changed.flatMap((record) => record.claims)
  if (table.taken.size > 0 || removed.length + added.length > patchLimit) return null
  const free = new Set<string>(removed.map((claim) => claim.address))
  const wanted = new Set<string>()
  for (const { address } of added) {
    if (wanted.has(address)) return null
    wanted.add(address)
    if (!free.has(address) && addresses[findIndex(addresses, address)]?.address === address) return null
  }
  const uses = new Map(table.uses)
  for (const { leafSet } of added) uses.set(leafSet, (uses.get(leafSet) ?? 0) + 1)
  for (const { leafSet } of removed) {
    const left = (uses.get(leafSet) ?? 0) - 1
    if (left > 0) uses.set(leafSet, left)
    else uses.delete(leafSet)
  }
  if (added.length + removed.length === 0) return { ...table, uses }
  const pending = [...table.pending, { removed, added }]
  const settled = pending.length > pendingLimit
  return {
    base: settled ? listClaims({ ...table, pending }) : table.base,
    pending: settled ? [] : pending,
    taken: table.taken,
    uses,
  }
}

/** Entries that are as before are the same objects; when all are, so is the list. */
export function listAddresses(
  table: ClaimTable,
  classOf: (set: LeafSet) => IdentityClass,
  before: readonly AddressIdentity[] = [],
): readonly AddressIdentity[] {
  const { taken } = table
  const addresses: AddressIdentity[] = []
  let same = true
  for (const { address, leafSet } of listClaims(table)) {
    if (taken.has(address)) continue
    const { identity } = classOf(leafSet)
    const last = before[addresses.length]
    if (last?.address === address && last.identity === identity) addresses.push(last)
    else {
      same = false
      addresses.push({ address, identity })
    }
  }
  return same && addresses.length === before.length ? before : addresses
}

/** The addresses after a patch of the claims they came from. Entries that stay are the same objects. */
export function patchAddresses(
  before: readonly AddressIdentity[],
  gone: readonly VmRecord[],
  changed: readonly VmRecord[],
  classOf: (set: LeafSet) => IdentityClass,
): readonly AddressIdentity[] {
  const removed = gone.flatMap((record) => record.claims)
  const added = changed.flatMap((record) => record.claims)
  const entries = added.map(({ address, leafSet }): AddressIdentity => {
    const { identity } = classOf(leafSet)
    const last = before[findIndex(before, address)]
    return last?.address === address && last.identity === identity ? last : { address, identity }
  })
  const patched = before.slice()
  patchInPlace(patched, removed, entries)
  return patched
}

interface Addressed {
  readonly address: string
}

/** `items` stay sorted; what is removed is there, and what is added is not. */
function patchInPlace<T extends Addressed>(items: T[], removed: readonly Addressed[], added: readonly T[]): void {
  const replacements = new Map(added.map((item) => [item.address, item]))
  for (const { address } of removed) {
    const at = findIndex(items, address)
    const replacement = replacements.get(address)
    if (replacement === undefined) items.splice(at, 1)
    else items[at] = replacement
    replacements.delete(address)
  }
  for (const item of replacements.values()) items.splice(findIndex(items, item.address), 0, item)
}

/** Index of the first item not before an address. */
function findIndex(items: readonly Addressed[], address: string): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((items[middle]?.address ?? '') < address) low = middle + 1
    else high = middle
  }
  return low
}
