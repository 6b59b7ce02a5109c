/**
 * The pairs of atoms whose rules are not the same before and after: no other pair can change its fate, so no other is compared. A pair is touched when a
 * rule that only one policy has matches it there, or when a rule of both matches it in one only, because someone came into a side or left it.
 */
import type { Direction } from '@hyperward/model'

import { anySide, type IndexedRule } from '../resolve/policy-index.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { localSideOf, peerSideOf } from '../resolve/rule-order.ts'
import type { AddressAtom } from '../symbolic/overlay-addresses.ts'
import { matchRules } from './match-rules.ts'
import { createPairRows, type PairRows } from '../symbolic/pair-rows.ts'

/** Position of a policy in {@link AddressAtom.classes}. */
type Part = 0 | 1

export function findTouchedPairs(
  before: ResolvedPolicy,
  after: ResolvedPolicy,
  atoms: readonly AddressAtom[],
): PairRows {
  const pairs = createPairRows(atoms.length)
  const members = [createMembers(atoms, 0), createMembers(atoms, 1)] as const
  const match = matchRules(before.index, after.index)
  const mark = (direction: Direction, locals: readonly number[], peers: readonly number[]): void =>
    direction === 'egress' ? pairs.addProduct(locals, peers) : pairs.addProduct(peers, locals)

  for (const [part, rules] of [match.onlyBefore, match.onlyAfter].entries()) {
    const { localsOf, inSide } = members[part === 0 ? 0 : 1]
    for (const rule of rules) {
      for (const direction of rule.rule.directions) {
        mark(direction, localsOf(rule, direction), inSide(peerSideOf(rule, direction)))
      }
    }
  }
  const moved = findMoved(before, after, atoms)
  const everyone = atoms.map((atom) => atom.number)
  // whose owner changed has other rules altogether
  pairs.addProduct(moved.owners, everyone)
  pairs.addProduct(everyone, moved.owners)
  if (moved.bySide.size === 0) return pairs
  for (const [first, second] of match.common) {
    for (const direction of first.rule.directions) {
      const movedLocals = union(moved.of(localSideOf(first, direction)), moved.of(first.applied))
      const movedPeers = moved.of(peerSideOf(first, direction))
      if (movedLocals.length === 0 && movedPeers.length === 0) continue
      const locals = union(members[0].localsOf(first, direction), members[1].localsOf(second, direction))
      const peers = union(
        members[0].inSide(peerSideOf(first, direction)),
        members[1].inSide(peerSideOf(second, direction)),
      )
      mark(direction, intersection(locals, movedLocals), peers)
      mark(direction, locals, intersection(peers, movedPeers))
    }
  }
  return pairs
}

function createMembers(atoms: readonly AddressAtom[], part: Part) {
  const classes = atoms.map((atom) => classOf(atom, part))
  const everyone = atoms.map((atom) => atom.number)
  const bySide = new Map<number, readonly number[]>()
  const byTenant = Map.groupBy(everyone, (number) => classes[number]?.signature.tenant ?? null)
  const owned = everyone.filter((number) => classes[number]?.signature.tenant !== null)
  const isIn = (number: number, side: number): boolean =>
    side === anySide || classes[number]?.signature.sides.has(side) === true
  const inSide = (side: number): readonly number[] => {
    if (side === anySide) return everyone
    const found = bySide.get(side) ?? everyone.filter((number) => isIn(number, side))
    bySide.set(side, found)
    return found
  }
  return {
    inSide,
    /** At whose endpoints a rule is asked in a direction. */
    localsOf: (rule: IndexedRule, direction: Direction): readonly number[] => {
      const { tenant } = rule.rule
      const asked = tenant === null ? owned : (byTenant.get(tenant) ?? [])
      const side = localSideOf(rule, direction)
      return asked.filter((number) => isIn(number, side) && isIn(number, rule.applied))
    },
  }
}

interface Moved {
  /** Atoms whose endpoints belong to someone else now. */
  readonly owners: readonly number[]
  /** By side number of the policy before: atoms that are in it in one of the two only. */
  readonly bySide: ReadonlyMap<number, readonly number[]>
  readonly of: (side: number) => readonly number[]
}

function findMoved(before: ResolvedPolicy, after: ResolvedPolicy, atoms: readonly AddressAtom[]): Moved {
  const byKey = new Map(after.index.sides.map((side) => [side.key, side.number]))
  const toAfter = before.index.sides.map((side) => byKey.get(side.key))
  const toBefore = new Map(toAfter.flatMap((number, at) => (number === undefined ? [] : [[number, at] as const])))
  const owners: number[] = []
  const bySide = new Map<number, number[]>()
  const add = (side: number, atom: number): void => {
    if (bySide.get(side)?.push(atom) === undefined) bySide.set(side, [atom])
  }
  const sameIndex = before.index === after.index
  for (const atom of atoms) {
    const [first, second] = [classOf(atom, 0).signature, classOf(atom, 1).signature]
    if (sameIndex && first === second) continue
    if (first.tenant !== second.tenant) owners.push(atom.number)
    for (const side of first.sides) {
      const other = toAfter[side]
      if (other !== undefined && !second.sides.has(other)) add(side, atom.number)
    }
    for (const other of second.sides) {
      const side = toBefore.get(other)
      if (side !== undefined && !first.sides.has(side)) add(side, atom.number)
    }
  }
  return { owners, bySide, of: (side) => bySide.get(side) ?? [] }
}

function classOf({ classes }: AddressAtom, part: Part): IdentityClass {
  const found = classes[part]
  if (found === undefined) throw new Error('an atom of one policy among those of two')
  return found
}

function union(some: readonly number[], others: readonly number[]): readonly number[] {
  return others.length === 0 ? some : [...new Set([...some, ...others])]
}

function intersection(some: readonly number[], others: readonly number[]): readonly number[] {
  const wanted = new Set(others)
  return some.filter((one) => wanted.has(one))
}
