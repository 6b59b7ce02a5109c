/** The signature of each combination of owner and leaves, made once. Grows with what was ever seen under its index. */
import type { TenantName } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { NetworkPrefix } from './network-table.ts'
import type { PolicyIndex } from './policy-index.ts'
import type { ClassSignature } from './resolved-policy.ts'

/** Owner and leaves of an address, as one object; what it is made of only its {@link SignatureTable} knows, so that it may outlive the numbers of leaves. */
export interface LeafSet {
  readonly tenant: TenantName | null
}

export interface SignatureTable {
  /** `leaves`: those that hold the address by themselves, each once. */
  readonly toLeafSet: (tenant: TenantName | null, leaves: readonly number[]) => LeafSet
  readonly signatureOf: (set: LeafSet) => ClassSignature
  readonly toSignature: (tenant: TenantName | null, leaves: readonly number[]) => ClassSignature
  readonly leavesOf: ReadonlyMap<LeafSet, readonly number[]>
  readonly world: ClassSignature
  /** Signature of the addresses of no endpoint in each network of the index, in its order. */
  readonly networks: readonly { readonly prefix: NetworkPrefix; readonly signature: ClassSignature }[]
}

/** `carried`: sets of an earlier table, in this index's numbers. Two of them may have become one combination. */
export function createSignatureTable(
  index: PolicyIndex,
  carried: ReadonlyMap<LeafSet, readonly number[]> = new Map(),
): SignatureTable {
  const leavesOf = new Map<LeafSet, readonly number[]>()
  const sets = new Map<string, LeafSet>()
  const bySet = new Map<LeafSet, ClassSignature>()
  const byKey = new Map<string, ClassSignature>()
  const sidesOf = (leaves: readonly number[]): ReadonlySet<number> => {
    const sides = new Set<number>()
    for (const leaf of index.leaves.complete(leaves)) for (const side of index.sidesOfLeaf[leaf] ?? []) sides.add(side)
    return sides
  }
  const worldSides = sidesOf([])
  const add = (set: LeafSet, leaves: readonly number[]): LeafSet => {
    const key = setKey(set.tenant, leaves)
    const known = sets.get(key)
    if (known === undefined) sets.set(key, set)
    leavesOf.set(set, leaves)
    return known ?? set
  }
  for (const [set, leaves] of carried) add(set, leaves)
  const toLeafSet = (tenant: TenantName | null, leaves: readonly number[]): LeafSet => {
    const sorted = isAscending(leaves) ? leaves : [...leaves].sort((a, b) => a - b)
    return sets.get(setKey(tenant, sorted)) ?? add({ tenant }, sorted)
  }
  const signatureOf = (set: LeafSet): ClassSignature => {
    const already = bySet.get(set)
    if (already !== undefined) return already
    const leaves = leavesOf.get(set)
    if (leaves === undefined) throw new Error('a set of leaves of another table')
    const sides = sidesOf(leaves)
    const keys = [...sides].map((side) => index.sides[side]?.key ?? '').sort(compareText)
    const key = [set.tenant ?? '', ...keys].join('\n')
    // two combinations of leaves may be in the same sides: they are one class
    const made = byKey.get(key) ?? { tenant: set.tenant, sides, unlikeWorld: difference(sides, worldSides), key }
    bySet.set(set, made)
    byKey.set(key, made)
    return made
  }
  const toSignature: SignatureTable['toSignature'] = (tenant, leaves) => signatureOf(toLeafSet(tenant, leaves))
  return {
    toLeafSet,
    signatureOf,
    toSignature,
    leavesOf,
    world: toSignature(null, []),
    networks: index.networks.prefixes.map((prefix) => ({ prefix, signature: toSignature(null, prefix.leaves) })),
  }
}

function setKey(tenant: TenantName | null, leaves: readonly number[]): string {
  return `${tenant ?? ''}\n${leaves.join()}`
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || (numbers[at - 1] ?? number) < number)
}

function difference(one: ReadonlySet<number>, other: ReadonlySet<number>): ReadonlySet<number> {
  const found = new Set<number>()
  for (const side of one) if (!other.has(side)) found.add(side)
  for (const side of other) if (!one.has(side)) found.add(side)
  return found
}
