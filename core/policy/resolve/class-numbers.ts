/** Classes in use with their identities, numbered by content; patched when a few come or go. An unchanged class keeps its object. */
import { toIdentity, worldIdentity } from '@hyperward/model'

import { assignNumbers, hashText } from './assign-numbers.ts'
import type { ClaimTable } from './claim-table.ts'
import type { ClassSignature, IdentityClass } from './resolved-policy.ts'
import type { SignatureTable } from './signature-table.ts'

export interface ClassNumbers {
  readonly bySignature: ReadonlyMap<ClassSignature, IdentityClass>
  /** Ascending by identity. */
  readonly classes: readonly IdentityClass[]
  /** Some class has another number than its content asks for, because two asked for one: then a change may renumber. */
  readonly collided: boolean
}

const range = { first: worldIdentity + 1, last: 0xffff_ffff }

export function numberClasses(
  claims: ClaimTable,
  signatures: SignatureTable,
  before: ClassNumbers | undefined,
): ClassNumbers {
  const { world, networks } = signatures
  const used = new Set<ClassSignature>()
  for (const set of claims.uses.keys()) used.add(signatures.signatureOf(set))
  for (const { signature } of networks) used.add(signature)
  used.add(world)
  const added = [...used].filter((signature) => before?.bySignature.has(signature) !== true)
  if (before !== undefined && added.length === 0 && before.bySignature.size === used.size) return before
  const patched = before === undefined ? null : patch(before, used, added)
  if (patched !== null) return patched
  const others = [...used].filter((signature) => signature !== world)
  const numbers = assignNumbers(
    others.map((signature) => signature.key),
    range,
  )
  const bySignature = new Map<ClassSignature, IdentityClass>([[world, { identity: worldIdentity, signature: world }]])
  let collided = false
  for (const signature of others) {
    const identity = toIdentity(numbers.get(signature.key) ?? 0)
    if (identity !== wantedNumber(signature)) collided = true
    const last = before?.bySignature.get(signature)
    bySignature.set(signature, last?.identity === identity ? last : { identity, signature })
  }
  return { bySignature, classes: sortClasses(bySignature.values()), collided }
}

/** Null when a number is wanted twice. */
function patch(
  before: ClassNumbers,
  used: ReadonlySet<ClassSignature>,
  added: readonly ClassSignature[],
): ClassNumbers | null {
  if (before.collided) return null
  const taken = new Set<number>()
  const bySignature = new Map<ClassSignature, IdentityClass>()
  for (const [signature, one] of before.bySignature) {
    if (!used.has(signature)) continue
    bySignature.set(signature, one)
    taken.add(one.identity)
  }
  for (const signature of added) {
    const identity = toIdentity(wantedNumber(signature))
    if (taken.has(identity)) return null
    taken.add(identity)
    bySignature.set(signature, { identity, signature })
  }
  const kept = before.classes.filter((one) => bySignature.has(one.signature))
  const fresh = sortClasses(added.flatMap((signature) => bySignature.get(signature) ?? []))
  return { bySignature, classes: mergeClasses(kept, fresh), collided: false }
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
