/** Which packets a rule speaks of, by classes: at each direction the endpoints it is enforced at, the other ends, and the services. */
import type { Direction } from '@hyperward/model'

import { anySide, type IndexedRule } from '../resolve/policy-index.ts'
import { localSideOf, peerSideOf } from '../resolve/rule-order.ts'
import type { PeopledClass } from './class-families.ts'

export interface Regions {
  /** Classes in a side, by its number. */
  readonly membersOf: (side: number) => readonly PeopledClass[]
  /** Whether it is enforced at any endpoint. */
  readonly hasLocal: (rule: IndexedRule) => boolean
  /** No packet is its own, even alone. */
  readonly isEmpty: (rule: IndexedRule) => boolean
  /** Every packet of the first is one of the second, too. Both of one tier and tenant. */
  readonly isInside: (first: IndexedRule, second: IndexedRule) => boolean
}

export function createRegions(classes: readonly PeopledClass[]): Regions {
  const endpoints = classes.filter((one) => one.class.signature.tenant !== null)
  const members = new Map<number, readonly PeopledClass[]>([[anySide, classes]])
  const membersOf = (side: number): readonly PeopledClass[] => {
    const found = members.get(side) ?? classes.filter((one) => holds(side, one))
    members.set(side, found)
    return found
  }
  const families = (side: number): number => membersOf(side).reduce((all, one) => all | one.families, 0)
  const localFamilies = (rule: IndexedRule, direction: Direction): number =>
    endpoints.reduce((all, one) => (isLocal(rule, direction, one) ? all | one.families : all), 0)
  const isEmptyIn = (rule: IndexedRule, direction: Direction): boolean =>
    (localFamilies(rule, direction) & families(peerSideOf(rule, direction))) === 0
  const known = new Map<string, boolean>()
  const remember = (key: string, compute: () => boolean): boolean => {
    const found = known.get(key) ?? compute()
    known.set(key, found)
    return found
  }
  const localsInside = (first: IndexedRule, second: IndexedRule, direction: Direction): boolean => {
    const [a, b] = [localSideOf(first, direction), localSideOf(second, direction)]
    const key = `local ${a}/${first.applied}/${b}/${second.applied}/${first.rule.tenant ?? ''}`
    return remember(key, () =>
      endpoints.every((one) => !isLocal(first, direction, one) || isLocal(second, direction, one)),
    )
  }
  const sideInside = (first: number, second: number): boolean =>
    first === second ||
    second === anySide ||
    remember(`side ${first}/${second}`, () => membersOf(first).every((one) => holds(second, one)))
  return {
    membersOf,
    hasLocal: (rule) => rule.rule.directions.some((direction) => localFamilies(rule, direction) !== 0),
    isEmpty: (rule) => rule.rule.directions.every((direction) => isEmptyIn(rule, direction)),
    isInside: (first, second) =>
      servicesInside(first.classes, second.classes) &&
      first.rule.directions.every(
        (direction) =>
          isEmptyIn(first, direction) ||
          (second.rule.directions.includes(direction) &&
            localsInside(first, second, direction) &&
            sideInside(peerSideOf(first, direction), peerSideOf(second, direction))),
      ),
  }
}

function holds(side: number, one: PeopledClass): boolean {
  return side === anySide || one.class.signature.sides.has(side)
}

function isLocal(rule: IndexedRule, direction: Direction, one: PeopledClass): boolean {
  const { tenant } = one.class.signature
  const owned = tenant !== null && (rule.rule.tenant === null || rule.rule.tenant === tenant)
  return owned && holds(localSideOf(rule, direction), one) && holds(rule.applied, one)
}

function servicesInside(first: readonly number[] | null, second: readonly number[] | null): boolean {
  if (second === null) return true
  const all = new Set(second)
  return first !== null && first.every((number) => all.has(number))
}
