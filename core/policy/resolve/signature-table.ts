/** The signature of each combination of owner and leaves, made once. Grows with what was ever seen under its index. */
import type { TenantName } from '@hyperward/model'

import { compareText } from './compare-text.ts'
import type { NetworkPrefix } from './network-table.ts'
import type { PolicyIndex } from './policy-index.ts'
import type { ClassSignature } from './resolved-policy.ts'

export interface SignatureTable {
  /** `leaves`: those that hold the address by themselves, each once. */
  readonly toSignature: (tenant: TenantName | null, leaves: readonly number[]) => ClassSignature
  readonly world: ClassSignature
  /** Signature of the addresses of no endpoint in each network of the index, in its order. */
  readonly networks: readonly { readonly prefix: NetworkPrefix; readonly signature: ClassSignature }[]
}

export function createSignatureTable(index: PolicyIndex): SignatureTable {
  const byLeaves = new Map<string, ClassSignature>()
  const byKey = new Map<string, ClassSignature>()
  const sidesOf = (leaves: readonly number[]): ReadonlySet<number> => {
    const sides = new Set<number>()
    for (const leaf of index.leaves.complete(leaves)) for (const side of index.sidesOfLeaf[leaf] ?? []) sides.add(side)
    return sides
  }
  const worldSides = sidesOf([])
  const toSignature = (tenant: TenantName | null, leaves: readonly number[]): ClassSignature => {
    const quick = `${tenant ?? ''}\n${leaves.join()}`
    const already = byLeaves.get(quick)
    if (already !== undefined) return already
    const sides = sidesOf(leaves)
    const keys = [...sides].map((side) => index.sides[side]?.key ?? '').sort(compareText)
    const key = [tenant ?? '', ...keys].join('\n')
    // two combinations of leaves may be in the same sides: they are one class
    const made = byKey.get(key) ?? { tenant, sides, unlikeWorld: difference(sides, worldSides), key }
    byLeaves.set(quick, made)
    byKey.set(key, made)
    return made
  }
  return {
    toSignature,
    world: toSignature(null, []),
    networks: index.networks.prefixes.map((prefix) => ({ prefix, signature: toSignature(null, prefix.leaves) })),
  }
}

function difference(one: ReadonlySet<number>, other: ReadonlySet<number>): ReadonlySet<number> {
  const found = new Set<number>()
  for (const side of one) if (!other.has(side)) found.add(side)
  for (const side of other) if (!one.has(side)) found.add(side)
  return found
}
