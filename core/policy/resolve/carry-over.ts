/**
 * What of a resolution holds under another policy over the same VMs: who claims which address always, and which leaves hold an address wherever both
 * policies have the leaf. Only VMs that a new leaf holds are looked at again.
 */
import { compareText } from './compare-text.ts'
import { indexEndpointLeaves } from './endpoint-leaves.ts'
import type { Leaf } from './leaf-table.ts'
import { buildNetworkTable } from './network-table.ts'
import type { PolicyIndex } from './policy-index.ts'
import type { ResolvedPolicy, VmRecord } from './resolved-policy.ts'
import type { LeafSet } from './signature-table.ts'

export interface CarriedOver {
  readonly leafSets: ReadonlyMap<LeafSet, readonly number[]>
  /** A leaf that the last policy had not, or had otherwise, holds one of its addresses. */
  readonly isTouched: (record: VmRecord) => boolean
}

export function carryOver(previous: ResolvedPolicy, index: PolicyIndex): CarriedOver {
  const before = new Map(previous.index.leaves.list().map((leaf) => [leaf.key, leaf]))
  const numbers = new Map<number, number>()
  const fresh: Leaf[] = []
  for (const leaf of index.leaves.list()) {
    if (leaf.kind === 'composite') continue
    const last = before.get(leaf.key)
    if (last !== undefined && contentOf(last) === contentOf(leaf)) numbers.set(last.number, leaf.number)
    else fresh.push(leaf)
  }
  const translate = (leaves: readonly number[]): readonly number[] =>
    leaves.flatMap((leaf) => numbers.get(leaf) ?? []).sort((a, b) => a - b)
  const { claims, signatures } = previous.records
  // claims of an address that is nobody's are not counted as uses: their sets may come back
  const used = [...signatures.leavesOf].filter(([set]) => claims.taken.size > 0 || claims.uses.has(set))
  return {
    leafSets: new Map(used.map(([set, leaves]) => [set, translate(leaves)])),
    isTouched: fresh.length === 0 ? () => false : createTouch(fresh),
  }
}

function createTouch(fresh: readonly Leaf[]): CarriedOver['isTouched'] {
  const endpointLeavesOf = indexEndpointLeaves(fresh)
  const networks = buildNetworkTable(
    fresh.flatMap((leaf) => (leaf.kind === 'networks' ? [{ ...leaf, leaf: leaf.number }] : [])),
  )
  return ({ vm, claims }) => {
    if (vm.tenant === null) return false
    const { match } = endpointLeavesOf(vm.tenant)
    return (
      vm.endpoints.some((endpoint) => match(vm, endpoint.segment).length > 0) ||
      claims.some((claim) => networks.leavesOf(claim.address).length > 0)
    )
  }
}

/** All that makes a leaf hold an address. */
function contentOf(leaf: Leaf): string {
  switch (leaf.kind) {
    case 'endpoints':
      return JSON.stringify(leaf.selector)
    case 'networks':
      return [...leaf.networks].sort(compareText).join() + '!' + [...leaf.except].sort(compareText).join()
    case 'composite':
      return leaf.key
  }
}
