/** Classes in use with their identities, numbered by content; patched when a few come or go. An unchanged class keeps its object. */
import { toIdentity, worldIdentity } from '@hyperward/model'

import { assignNumbers, hashText } from './assign-numbers.ts'
import type { ClaimTable } from './claim-table.ts'
import type { ClassSignature, IdentityClass } from './resolved-policy.ts'
import type { LeafSet, SignatureTable } from './signature-table.ts'

export interface ClassNumbers {
  readonly bySignature: ReadonlyMap<ClassSignature, IdentityClass>
  /** Ascending by identity. */
  readonly classes: readonly IdentityClass[]
  /** Some class has another number than its content asks for, because two asked for one: then a change may renumber. */
  readonly collided: boolean
}

const range = { first: worldIdentity + 1, last: 0xffff_ffff }

/** Sets of leaves that some address may have got, and such as one may have lost, since the last time. */
export interface SetChanges {
  readonly got: readonly LeafSet[]
  readonly lost: readonly LeafSet[]
}

/** `changes`: all that can differ from `before`; null = unknown. */
export function numberClasses(
  claims: ClaimTable,
  signatures: SignatureTable,
  before: ClassNumbers | undefined,
  changes: SetChanges | null,
): ClassNumbers {
  if (before !== undefined && changes !== null && !before.collided) {
    const patched = patch(before, findComings(claims, signatures, before, changes))
    if (patched !== null) return patched
  }
  const used = new Set<ClassSignature>()
  for (const set of claims.uses.keys()) used.add(signatures.signatureOf(set))
  for (const { signature } of signatures.networks) used.add(signature)
  used.delete(signatures.world)
  const numbers = assignNumbers(
    [...used].map((signature) => signature.key),
    range,
  )
  const { world } = signatures
  const bySignature = new Map([
    [world, before?.bySignature.get(world) ?? { identity: worldIdentity, signature: world }],
  ])
  let collided = false
  for (const signature of used) {
    const identity = toIdentity(numbers.get(signature.key) ?? 0)
    if (identity !== wantedNumber(signature)) collided = true
    const last = before?.bySignature.get(signature)
    bySignature.set(signature, last?.identity === identity ? last : { identity, signature })
  }
  return { bySignature, classes: sortClasses(bySignature.values()), collided }
}

interface Comings {
  readonly came: ReadonlySet<ClassSignature>
  readonly gone: ReadonlySet<ClassSignature>
}

/** Two sets of leaves may have one signature, so one that no address has any more is looked for among all that are used. */
function findComings(
  { uses }: ClaimTable,
  { signatureOf, networks, world }: SignatureTable,
  { bySignature }: ClassNumbers,
  { got, lost }: SetChanges,
): Comings {
  const came = new Set<ClassSignature>()
  for (const set of got) if (uses.has(set) && !bySignature.has(signatureOf(set))) came.add(signatureOf(set))
  const gone = new Set(lost.filter((set) => !uses.has(set)).map(signatureOf))
  if (gone.size > 0) {
    for (const set of uses.keys()) gone.delete(signatureOf(set))
    for (const { signature } of networks) gone.delete(signature)
    gone.delete(world)
  }
  return { came, gone }
}

/** Null when a number is wanted twice. */
function patch(before: ClassNumbers, { came, gone }: Comings): ClassNumbers | null {
  if (came.size === 0 && gone.size === 0) return before
  const kept = gone.size === 0 ? before.classes : before.classes.filter(({ signature }) => !gone.has(signature))
  const fresh = sortClasses(
    [...came].map((signature) => ({ identity: toIdentity(wantedNumber(signature)), signature })),
  )
  const bySignature = new Map(before.bySignature)
  for (const signature of gone) bySignature.delete(signature)
  for (const one of fresh) bySignature.set(one.signature, one)
  const classes = mergeClasses(kept, fresh)
  return classes.some(({ identity }, at) => identity === classes[at + 1]?.identity)
    ? null
    : { bySignature, classes, collided: false }
}

/** What {@link assignNumbers} gives when nobody else asks for it. */
function wantedNumber(signature: ClassSignature): number {
  return range.first + (hashText(signature.key) % (range.last - range.first + 1))
}

function sortClasses(classes: Iterable<IdentityClass>): readonly IdentityClass[] {
  return [...classes].sort((a, b) => a.identity - b.identity)
}

function mergeClasses(some: readonly IdentityClass[], others: readonly IdentityClass[]): readonly IdentityClass[] {
  const merged: IdentityClass[] = []
  let next = 0
  for (const one of some) {
    for (let other = others[next]; other !== undefined && other.identity < one.identity; other = others[next]) {
      merged.push(other)
      next += 1
    }
    merged.push(one)
  }
  return [...merged, ...others.slice(next)]
}
