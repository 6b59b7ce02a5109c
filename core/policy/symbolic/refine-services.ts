/** Service classes of several policies laid over each other: values of (protocol, port or ICMP type) that none of them tells apart are one atom. */
import type { ServiceClass } from '@hyperward/model'

import { highestValue } from '../resolve/service-table.ts'

export interface ServiceRange {
  readonly protocol: number
  /** As in {@link ServiceClass}: ports, ICMP types, or 0..0. */
  readonly from: number
  readonly to: number
}

export interface ServiceAtom {
  readonly number: number
  /** Its class in each table; 0 = nothing there names it. */
  readonly classes: readonly number[]
  readonly ranges: readonly ServiceRange[]
  /** Protocols that no table names are in it too. One atom has this. */
  readonly others: boolean
}

export interface ServiceAtoms {
  readonly atoms: readonly ServiceAtom[]
  /** Per table: class → numbers of its atoms, ascending. */
  readonly byClass: readonly ReadonlyMap<number, readonly number[]>[]
  /** Protocols that some table names. */
  readonly protocols: ReadonlySet<number>
}

interface DraftAtom extends ServiceAtom {
  readonly ranges: ServiceRange[]
}

export function refineServices(tables: readonly (readonly ServiceClass[])[]): ServiceAtoms {
  const byProtocol = tables.map((table) => Map.groupBy(table, (entry) => entry.protocol))
  const protocols = new Set(tables.flatMap((table) => table.map((entry) => entry.protocol)))
  const others: DraftAtom = { number: 0, classes: tables.map(() => 0), ranges: [], others: true }
  const atoms: DraftAtom[] = [others]
  const byKey = new Map<string, DraftAtom>([[others.classes.join(), others]])
  for (const protocol of [...protocols].sort((a, b) => a - b)) {
    for (const { from, to, classes } of cutProtocol(
      byProtocol.map((table) => table.get(protocol) ?? []),
      highestValue(protocol),
    )) {
      const key = classes.join()
      const atom = byKey.get(key) ?? { number: atoms.length, classes, ranges: [], others: false }
      if (atom.number === atoms.length) {
        atoms.push(atom)
        byKey.set(key, atom)
      }
      atom.ranges.push({ protocol, from, to })
    }
  }
  return { atoms, byClass: tables.map((_, table) => indexByClass(atoms, table)), protocols }
}

interface Cut {
  readonly from: number
  readonly to: number
  readonly classes: readonly number[]
}

/** One pass over the tables' entries, each in ascending order. */
function cutProtocol(tables: readonly (readonly ServiceClass[])[], highest: number): readonly Cut[] {
  const starts = new Set([0])
  for (const entry of tables.flat()) {
    starts.add(entry.from)
    if (entry.to < highest) starts.add(entry.to + 1)
  }
  const ordered = [...starts].sort((a, b) => a - b)
  const sorted = tables.map((table) => [...table].sort((a, b) => a.from - b.from))
  const places = tables.map(() => 0)
  return ordered.map((from, at) => {
    const classes = sorted.map((table, which) => {
      let place = places[which] ?? 0
      while (place < table.length && (table[place]?.to ?? 0) < from) place += 1
      places[which] = place
      const entry = table[place]
      return entry !== undefined && entry.from <= from ? entry.class : 0
    })
    return { from, to: (ordered[at + 1] ?? highest + 1) - 1, classes }
  })
}

function indexByClass(atoms: readonly ServiceAtom[], table: number): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>()
  for (const { number, classes } of atoms) {
    const one = classes[table] ?? 0
    if (found.get(one)?.push(number) === undefined) found.set(one, [number])
  }
  return found
}
