/** Which endpoint claims which address, sorted; built at once or patched by what changed. The outcome is the same. */
import { type AddressIdentity } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { Claim, ClassSignature, IdentityClass, VmRecord } from './resolved-policy.ts'

export interface ClaimTable {
  /** Sorted by address, then endpoint; an address that two endpoints claim stands here twice. */
  readonly claims: readonly Claim[]
  /** Addresses claimed more than once. */
  readonly taken: ReadonlySet<string>
  /** How many addresses each class has, those taken left out. */
  readonly uses: ReadonlyMap<ClassSignature, number>
}

/** Beyond this, building anew is cheaper than patching. */
const patchLimit = 256

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
  return { claims, taken, uses: countUses(claims, taken) }
}

/** The same claims with other signatures: the order stays. Records in the same order as those the table was made of. */
export function reclassifyClaims(
  table: ClaimTable,
  before: readonly VmRecord[],
  after: readonly VmRecord[],
): ClaimTable {
  const successors = new Map<Claim, Claim>()
  for (const [at, record] of before.entries()) {
    const claims = after[at]?.claims
    for (const [index, claim] of record.claims.entries()) successors.set(claim, claims?.[index] ?? claim)
  }
  const claims = table.claims.map((claim) => successors.get(claim) ?? claim)
  return { claims, taken: table.taken, uses: countUses(claims, table.taken) }
}

function countUses(claims: readonly Claim[], taken: ReadonlySet<string>): ReadonlyMap<ClassSignature, number> {
  const uses = new Map<ClassSignature, number>()
  for (const { address, signature } of claims)
    if (!taken.has(address)) uses.set(signature, (uses.get(signature) ?? 0) + 1)
  return uses
}

function byClaimant(claims: readonly Claim[] | Claim): readonly Claim[] | Claim {
  return 'length' in claims ? [...claims].sort((a, b) => compareText(a.endpoint, b.endpoint)) : claims
}

/** Null when patching does not apply: too much changed, or an address is or would be claimed twice. */
export function patchClaimTable(
  table: ClaimTable,
  gone: readonly VmRecord[],
  changed: readonly VmRecord[],
): ClaimTable | null {
  const removed = gone.flatMap((record) => record.claims)
  const added = changed.flatMap((record) => record.claims)
  if (table.taken.size > 0 || removed.length + added.length > patchLimit) return null
  const claims = patchSorted(table.claims, removed, added)
  if (claims === null) return null
  const uses = new Map(table.uses)
  for (const { signature } of added) uses.set(signature, (uses.get(signature) ?? 0) + 1)
  for (const { signature } of removed) {
    const left = (uses.get(signature) ?? 0) - 1
    if (left > 0) uses.set(signature, left)
    else uses.delete(signature)
  }
  return { claims, taken: table.taken, uses }
}

export function listAddresses(
  { claims, taken }: ClaimTable,
  classOf: (signature: ClassSignature) => IdentityClass,
): readonly AddressIdentity[] {
  return claims.flatMap(({ address, signature }) =>
    taken.has(address) ? [] : [{ address, identity: classOf(signature).identity }],
  )
}

/** The addresses after a patch of the claims they came from. Entries that stay are the same objects. */
export function patchAddresses(
  before: readonly AddressIdentity[],
  gone: readonly VmRecord[],
  changed: readonly VmRecord[],
  classOf: (signature: ClassSignature) => IdentityClass,
): readonly AddressIdentity[] {
  const removed = gone.flatMap((record) => record.claims)
  const added = changed.flatMap((record) => record.claims)
  const entries = added.map(({ address, signature }): AddressIdentity => {
    const { identity } = classOf(signature)
    const last = before[findIndex(before, address)]
    return last?.address === address && last.identity === identity ? last : { address, identity }
  })
  const patched = patchSorted(before, removed, entries)
  if (patched === null) throw new Error('addresses that clash after their claims did not')
  return patched
}

interface Addressed {
  readonly address: string
}

/** Null when an address would be there twice. */
function patchSorted<T extends Addressed>(
  items: readonly T[],
  removed: readonly Addressed[],
  added: readonly T[],
): readonly T[] | null {
  const patched = items.slice()
  const replacements = new Map(added.map((item) => [item.address, item]))
  if (replacements.size !== added.length) return null
  for (const { address } of removed) {
    const at = findIndex(patched, address)
    const replacement = replacements.get(address)
    if (replacement === undefined) patched.splice(at, 1)
    else patched[at] = replacement
    replacements.delete(address)
  }
  for (const item of replacements.values()) {
    const at = findIndex(patched, item.address)
    if (patched[at]?.address === item.address) return null
    patched.splice(at, 0, item)
  }
  return patched
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
