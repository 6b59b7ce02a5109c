/**
 * The verdict rows of every identity that endpoints have, as blocks. After a change of inventory a block is kept unless a class that its rules' peer sides
 * tell from the world came, went or was renumbered.
 */
import type { Verdict } from '@hyperward/model'

import type { ClassSignature, IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { type SectionChunk, type Sha256, toChunk } from './plan-sections.ts'
import type { RuleBook } from './rule-book.ts'
import { createRowBudget, verdictRows } from './verdict-rows.ts'

export type LocalBlocks = ReadonlyMap<IdentityClass, Blocks>

/** Per direction, in the order of {@link directions}. */
type Blocks = readonly SectionChunk<Verdict>[]

export interface BuiltBlocks {
  readonly blocks: LocalBlocks
  /** Whether some of these identities have other blocks than the last time; null = there was no last time. */
  readonly isChanged: ((locals: readonly IdentityClass[]) => boolean) | null
}

/** `last`: of the same policy index and rule book. */
export function buildLocalBlocks(
  resolved: ResolvedPolicy,
  book: RuleBook,
  sha256: Sha256,
  last: { readonly resolved: ResolvedPolicy; readonly blocks: LocalBlocks } | undefined,
): BuiltBlocks {
  if (last !== undefined && last.resolved.classes === resolved.classes)
    return { blocks: last.blocks, isChanged: () => false }
  const { bySignature } = resolved.records.numbers
  const classesOf = (signatures: readonly ClassSignature[]): readonly IdentityClass[] =>
    signatures.flatMap((signature) => bySignature.get(signature) ?? [])

  const { came, gone } = compareClasses(resolved, last?.resolved)
  for (const { signature } of came) book.add(signature)
  const touched = new Set([...came, ...gone].flatMap(({ signature }) => [...signature.unlikeWorld]))
  const blocks = new Map(last?.blocks)
  for (const one of gone) blocks.delete(one)
  const stale = new Set([...came, ...[...touched].flatMap((side) => classesOf(book.concernedBy(side)))].filter(isLocal))

  const peers = new Map<number, readonly IdentityClass[]>()
  const peersOf = (side: number): readonly IdentityClass[] => {
    const known = peers.get(side) ?? classesOf(book.peersIn(side))
    peers.set(side, known)
    return known
  }
  const world = bySignature.get(resolved.records.signatures.world)
  if (world === undefined) throw new Error('the world has no class')
  const budget = createRowBudget(stale.size * 2)
  for (const local of stale) {
    const known = blocks.get(local)
    const made = book.rulesOf(local.signature).map((rules, at) => {
      const kept = known?.[at]
      if (kept !== undefined && ![...touched].some((side) => rules.peerSides.has(side))) return kept
      const rows = verdictRows(rules, local.identity, world, peersOf, budget)
      budget.next()
      return toChunk(rows, sha256)
    })
    blocks.set(local, made)
  }
  return { blocks, isChanged: last === undefined ? null : createChangeTest(stale) }
}

function isLocal({ signature }: IdentityClass): boolean {
  return signature.tenant !== null
}

/** Both ascend by identity: what stands at one identity in both, as the same object, is the same class. */
function compareClasses(
  { classes }: ResolvedPolicy,
  last: ResolvedPolicy | undefined,
): { readonly came: readonly IdentityClass[]; readonly gone: readonly IdentityClass[] } {
  const came: IdentityClass[] = []
  const gone: IdentityClass[] = []
  const before = last?.classes ?? []
  let at = 0
  for (const one of classes) {
    let other = before[at]
    for (; other !== undefined && other.identity < one.identity; other = before[at]) {
      gone.push(other)
      at += 1
    }
    if (other === one) at += 1
    else came.push(one)
  }
  gone.push(...before.slice(at))
  return { came, gone }
}

/** Asked for every identity on every host, so nearly all are answered by one byte: the low bits of an identity, whose numbers are spread like hashes. */
function createChangeTest(changed: ReadonlySet<IdentityClass>): (locals: readonly IdentityClass[]) => boolean {
  const mask = 0xff_ff
  const flags = new Uint8Array(mask + 1)
  for (const { identity } of changed) flags[identity & mask] = 1
  return (locals) => locals.some((local) => flags[local.identity & mask] === 1 && changed.has(local))
}
