/**
 * Which connections change their fate between two resolved policies, or between two inventories under one: exactly, and in time that follows what changed.
 * Addresses and services are cut into atoms that neither side tells apart; the pairs of atoms that a difference touches are judged end to end, before and
 * after. Packets of an endpoint to itself are none of the network's and are left out.
 */
import { compareText } from '../resolve/compare-text.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { createPartyWriter, type Party, type PartySummary } from '../symbolic/describe-parties.ts'
import { describeServices, type ServiceSet } from '../symbolic/describe-services.ts'
import { createFates } from '../symbolic/fates.ts'
import { type AddressAtom, type AddressAtoms, overlayAddresses } from '../symbolic/overlay-addresses.ts'
import { refineServices, type ServiceAtoms } from '../symbolic/refine-services.ts'
import { type Change, createComparison, type DiffVerdict } from './compare-fates.ts'
import { findTouchedPairs } from './find-touched-pairs.ts'
import { createRowGroups, type Rectangle } from './group-rows.ts'
import { severities, type Severity } from './severity.ts'

/** Every source with every destination of the entry (of one address family, and not an endpoint with itself) and every service of it changes so. */
export interface DiffEntry {
  readonly severity: Severity
  readonly sources: readonly Party[]
  readonly destinations: readonly Party[]
  readonly from: PartySummary
  readonly to: PartySummary
  readonly services: ServiceSet
  readonly before: DiffVerdict
  readonly after: DiffVerdict
}

export interface PolicyDiff {
  /** Worst first: by severity, then the wider. At most the limit asked for. */
  readonly entries: readonly DiffEntry[]
  /** How many entries there are in all. */
  readonly total: number
  /** Pairs of source and destination atoms with a change in some service. */
  readonly pairs: number
  /** Pairs that may differ but were not compared, because there are more than the limit: then `total` and `pairs` are lower bounds. */
  readonly unchecked: number
}

export interface DiffLimits {
  readonly entries?: number
  readonly pairs?: number
}

export const defaultDiffLimits = { entries: 200, pairs: 2_000_000 } as const satisfies Required<DiffLimits>

export function diffPolicies(before: ResolvedPolicy, after: ResolvedPolicy, limits: DiffLimits = {}): PolicyDiff {
  const { entries: entryLimit, pairs: pairLimit } = { ...defaultDiffLimits, ...limits }
  const addresses = overlayAddresses([before, after])
  const services = refineServices([before.index.services.classes, after.index.services.classes])
  const { rectangles, pairs, unchecked } = compareTouched(before, after, addresses, services, pairLimit)
  const ranked = rank(rectangles, addresses.atoms).slice(0, entryLimit)
  const { toParty, summarize } = createPartyWriter([before, after], addresses.atoms)
  const entries = ranked.map(({ what, ...sides }): DiffEntry => {
    const [sources, destinations] = [sides.sources, sides.destinations].map((numbers) =>
      numbers.map((number) => atomAt(addresses.atoms, number)),
    )
    return {
      severity: what.severity,
      sources: (sources ?? []).map(toParty),
      destinations: (destinations ?? []).map(toParty),
      from: summarize(sources ?? []),
      to: summarize(destinations ?? []),
      services: describeServices(services, what.services),
      before: what.before,
      after: what.after,
    }
  })
  return { entries, total: rectangles.length, pairs, unchecked }
}

interface Compared {
  readonly rectangles: readonly Rectangle<Change>[]
  readonly pairs: number
  readonly unchecked: number
}

function compareTouched(
  before: ResolvedPolicy,
  after: ResolvedPolicy,
  { atoms, familiesOfPair }: AddressAtoms,
  services: ServiceAtoms,
  limit: number,
): Compared {
  const touched = findTouchedPairs(before, after, atoms)
  const [fatesBefore, fatesAfter] = [createFates(before), createFates(after)]
  const compare = createComparison(services)
  const groups = createRowGroups<Change>()
  let pairs = 0
  let checked = 0
  for (const from of touched.sources()) {
    if (checked >= limit) break
    const source = atomAt(atoms, from)
    const [sourceBefore, sourceAfter] = classesOf(source)
    const row = new Map<Change, number[]>()
    for (const to of touched.destinationsOf(from)) {
      checked += 1
      const destination = atomAt(atoms, to)
      const [destinationBefore, destinationAfter] = classesOf(destination)
      const changes = compare(
        fatesBefore.between(sourceBefore, destinationBefore),
        fatesAfter.between(sourceAfter, destinationAfter),
      )
      if (changes.length === 0 || familiesOfPair(source, destination).length === 0) continue
      pairs += 1
      for (const change of changes) if (row.get(change)?.push(to) === undefined) row.set(change, [to])
    }
    for (const [change, destinations] of row) groups.add(change, from, destinations)
  }
  return { rectangles: groups.list(), pairs, unchecked: checked < limit ? 0 : touched.count() - checked }
}

function rank(rectangles: readonly Rectangle<Change>[], atoms: readonly AddressAtom[]): readonly Rectangle<Change>[] {
  const order = new Map(severities.map((severity, at) => [severity, at]))
  const keyed = rectangles.map((rectangle) => {
    const { what, sources, destinations } = rectangle
    return {
      rectangle,
      severity: order.get(what.severity) ?? 0,
      width: widthOf(sources, atoms) * widthOf(destinations, atoms),
      services: what.services.length,
      text: `${what.after.rule ?? ''} ${what.before.rule ?? ''}`,
    }
  })
  keyed.sort(
    (a, b) => a.severity - b.severity || b.width - a.width || b.services - a.services || compareText(a.text, b.text),
  )
  return keyed.map(({ rectangle }) => rectangle)
}

/** Networks hold more than any list of endpoints, and the world more than networks. */
const networkWidth = 10_000_000
const worldWidth = 1_000_000_000_000

function widthOf(numbers: readonly number[], atoms: readonly AddressAtom[]): number {
  let width = 0
  for (const number of numbers) {
    const { addresses, networks, world } = atomAt(atoms, number)
    width += addresses.length + networks.length * networkWidth + (world ? worldWidth : 0)
  }
  return width
}

function atomAt(atoms: readonly AddressAtom[], number: number): AddressAtom {
  const atom = atoms[number]
  if (atom === undefined) throw new Error(`no atom has the number ${number}`)
  return atom
}

function classesOf({ classes: [first, second] }: AddressAtom) {
  if (first === undefined || second === undefined) throw new Error('an atom of one policy among those of two')
  return [first, second] as const
}
