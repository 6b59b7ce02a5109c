/**
 * From what stands to what should, in one transaction. Tables are never made anew, as a packet between the old and the new one would be lost: chains are flushed and
 * filled, exact maps changed element by element, intervals flushed and filled.
 */
import { families, table } from './names.ts'
import type { Chain, NftSet, Skeleton, State } from './state.ts'

/** Lines of an nft script; none = nothing to do. */
export function diff(current: State | Skeleton, desired: State): readonly string[] {
  const known = current.kind === 'state' ? current : null
  const there = current.kind === 'state' ? toSkeleton(current) : current
  const opening: string[] = []
  const filling: string[] = []
  const closing: string[] = []

  for (const name of desired.counters) if (!there.counters.has(name)) opening.push(`add counter inet ${table} ${name}`)
  for (const [name, rate] of desired.limits) {
    if (!there.limits.has(name)) opening.push(`add limit inet ${table} ${name} { ${rate} }`)
  }
  for (const [name, set] of desired.sets) {
    if (there.sets.has(name)) continue
    opening.push(`add ${set.kind} ${at(name)} { ${set.declaration} }`)
  }
  for (const [name, chain] of desired.chains) {
    if (!there.chains.has(name)) opening.push(`add chain ${at(name)}${chain.hook === null ? '' : ` { ${chain.hook} }`}`)
  }
  for (const [name, chain] of desired.chains) {
    if (sameRules(known?.chains.get(name), chain)) continue
    if (there.chains.has(name)) filling.push(`flush chain ${at(name)}`)
    for (const rule of chain.rules) filling.push(`add rule ${at(name)} ${rule}`)
  }
  for (const name of there.chains) {
    if (desired.chains.has(name)) continue
    closing.push(`flush chain ${at(name)}`)
  }
  for (const name of there.chains) if (!desired.chains.has(name)) closing.push(`delete chain ${at(name)}`)
  for (const [name, kind] of there.sets) if (!desired.sets.has(name)) closing.push(`delete ${kind} ${at(name)}`)
  for (const name of there.counters)
    if (!desired.counters.has(name)) closing.push(`delete counter inet ${table} ${name}`)
  for (const name of there.limits) if (!desired.limits.has(name)) closing.push(`delete limit inet ${table} ${name}`)
  const elements = [...desired.sets].flatMap(([name, set]) =>
    changeElements(name, set, there.sets.has(name), known?.sets.get(name)),
  )
  const lines = [...opening, ...elements, ...filling, ...closing]
  return lines.length === 0 ? [] : [...families.map((family) => `add table ${family} ${table}`), ...lines]
}

function changeElements(name: string, set: NftSet, exists: boolean, before: NftSet | undefined): readonly string[] {
  const wanted = set.elements
  if (wanted === null) return []
  const present = before?.elements ?? null
  if (present === wanted) return []
  const noun = `element ${at(name)}`
  if (present === null || (set.interval && differs(present, wanted))) {
    return [...(exists ? [`flush ${set.kind} ${at(name)}`] : []), ...chunked(`add ${noun}`, [...wanted].map(toElement))]
  }
  const gone = [...present].filter(([key, value]) => wanted.get(key) !== value).map(([key]) => key)
  const fresh = [...wanted].filter(([key, value]) => present.get(key) !== value)
  return [...chunked(`delete ${noun}`, gone), ...chunked(`add ${noun}`, fresh.map(toElement))]
}

function differs(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size !== b.size || [...a].some(([key, value]) => b.get(key) !== value)
}

const toElement = ([key, value]: readonly [string, string]): string => (value === '' ? key : `${key} : ${value}`)

/** A line that is too long is refused by nft's parser long before the kernel. */
function chunked(verb: string, elements: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (let from = 0; from < elements.length; from += 500) {
    lines.push(`${verb} { ${elements.slice(from, from + 500).join(', ')} }`)
  }
  return lines
}

function sameRules(before: Chain | undefined, wanted: Chain): boolean {
  return (
    before !== undefined &&
    before.rules.length === wanted.rules.length &&
    before.rules.every((rule, index) => rule === wanted.rules[index])
  )
}

function toSkeleton(state: State): Skeleton {
  return {
    kind: 'skeleton',
    chains: new Set(state.chains.keys()),
    sets: new Map([...state.sets].map(([name, set]) => [name, set.kind])),
    counters: state.counters,
    limits: new Set(state.limits.keys()),
  }
}

/** `family name` → `family table name`. */
function at(name: string): string {
  const space = name.indexOf(' ')
  return `${name.slice(0, space)} ${table} ${name.slice(space + 1)}`
}
