/** Two fates of a pair → what changes, service by service. Most pairs share their fates with others: each combination is compared once. */
import type { GroupName, RuleRef } from '@hyperward/model'
import { defaultDropRef } from '@hyperward/model'

import type { FlowVerdict } from '../explain/combine-verdicts.ts'
import type { Fate, FateMap } from '../symbolic/fates.ts'
import type { ServiceAtoms } from '../symbolic/refine-services.ts'
import { type Severity, severityOf } from './severity.ts'

export interface DiffVerdict {
  readonly action: FlowVerdict
  /** Of `inspect`: through which gateway profile. */
  readonly profile: GroupName | null
  /** The rule that decides: of the side that refuses, else that inspects, else that is stateless, else of the destination's, else of the source's. Null when nothing is enforced. */
  readonly rule: RuleRef | null
}

export interface Change {
  readonly number: number
  /** Numbers of service atoms, ascending. */
  readonly services: readonly number[]
  readonly before: DiffVerdict
  readonly after: DiffVerdict
  readonly severity: Severity
}

export function createComparison(services: ServiceAtoms): (before: FateMap, after: FateMap) => readonly Change[] {
  const known = new Map<number, readonly Change[]>()
  const interned = new Map<string, Change>()
  const [classesBefore, classesAfter] = services.byClass
  const intern = ({ before, after, services: numbers }: DraftChange): Change => {
    const key = `${keyOf(before)} ${keyOf(after)} ${numbers.join()}`
    const already = interned.get(key)
    if (already !== undefined) return already
    const severity = severityOf(before, after)
    const made = { number: interned.size, services: numbers, before, after, severity }
    interned.set(key, made)
    return made
  }
  const compare = (before: FateMap, after: FateMap): readonly Change[] => {
    const named = new Set<number>()
    for (const one of before.byClass.keys()) for (const atom of classesBefore?.get(one) ?? []) named.add(atom)
    for (const one of after.byClass.keys()) for (const atom of classesAfter?.get(one) ?? []) named.add(atom)
    const changes = new Map<string, DraftChange>()
    const note = (first: Fate, second: Fate, atoms: Iterable<number>): void => {
      if (first.verdict === second.verdict && first.profile === second.profile) return
      const [one, other] = [toVerdict(first), toVerdict(second)]
      const key = `${keyOf(one)} ${keyOf(other)}`
      const change = changes.get(key) ?? { before: one, after: other, services: [] }
      changes.set(key, change)
      for (const atom of atoms) change.services.push(atom)
    }
    for (const number of named) {
      const [first = 0, second = 0] = services.atoms[number]?.classes ?? []
      note(before.byClass.get(first) ?? before.rest, after.byClass.get(second) ?? after.rest, [number])
    }
    const others = services.atoms.filter((atom) => !named.has(atom.number)).map((atom) => atom.number)
    if (others.length > 0) note(before.rest, after.rest, others)
    return [...changes.values()].map((change) => intern({ ...change, services: change.services.sort((a, b) => a - b) }))
  }
  return (before, after) => {
    const key = before.number * 0x400_0000 + after.number
    const already = known.get(key)
    if (already !== undefined) return already
    const found = compare(before, after)
    known.set(key, found)
    return found
  }
}

interface DraftChange {
  readonly before: DiffVerdict
  readonly after: DiffVerdict
  readonly services: number[]
}

function toVerdict({ verdict, profile, decider }: Fate): DiffVerdict {
  return { action: verdict, profile, rule: decider === null ? null : (decider.rule?.rule.ref ?? defaultDropRef) }
}

function keyOf({ action, profile, rule }: DiffVerdict): string {
  return `${action} ${profile ?? ''} ${rule ?? ''}`
}
