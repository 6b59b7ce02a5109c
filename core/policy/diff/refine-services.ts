/** The service classes of two policies laid over each other: values that neither tells apart. */
import { icmpTypeNames, portProtocols, typeProtocols, type ServiceClass } from '@hyperward/model'

import { highestValue } from '../resolve/service-table.ts'

export interface ServiceAtom {
  readonly before: number
  readonly after: number
  /** Readable: `tcp 80`, `icmp echo-request`, `protocol 47`, `all else`. */
  readonly texts: readonly string[]
}

export function refineServices(
  before: readonly ServiceClass[],
  after: readonly ServiceClass[],
): readonly ServiceAtom[] {
  const protocols = new Set([...before, ...after].map((entry) => entry.protocol))
  const atoms = new Map<string, { before: number; after: number; texts: string[] }>()
  const add = (first: number, second: number, text: string): void => {
    const key = `${first}/${second}`
    const atom = atoms.get(key) ?? { before: first, after: second, texts: [] }
    atom.texts.push(text)
    atoms.set(key, atom)
  }
  for (const protocol of [...protocols].sort((a, b) => a - b)) {
    const ours = before.filter((entry) => entry.protocol === protocol)
    const theirs = after.filter((entry) => entry.protocol === protocol)
    const starts = new Set([0, ...[...ours, ...theirs].flatMap(({ from, to }) => [from, to + 1])])
    const highest = highestValue(protocol)
    const cuts = [...starts].filter((cut) => cut <= highest).sort((a, b) => a - b)
    const runs: { from: number; to: number; before: number; after: number }[] = []
    for (const [index, from] of cuts.entries()) {
      const to = (cuts[index + 1] ?? highest + 1) - 1
      const [first, second] = [classAt(ours, from), classAt(theirs, from)]
      const last = runs.at(-1)
      if (last?.before === first && last.after === second) last.to = to
      else runs.push({ from, to, before: first, after: second })
    }
    for (const run of runs) add(run.before, run.after, describeRange(protocol, run.from, run.to))
  }
  add(0, 0, 'all else')
  return [...atoms.values()]
}

function classAt(entries: readonly ServiceClass[], value: number): number {
  return entries.find((entry) => entry.from <= value && value <= entry.to)?.class ?? 0
}

/** `tcp 80-443`, `icmpv6 echo-request`, `tcp any`, `protocol 47`. */
export function describeRange(protocol: number, from: number, to: number): string {
  const named = Object.entries({ ...portProtocols, ...typeProtocols }).find(([, number]) => number === protocol)
  if (named === undefined) return `protocol ${protocol}`
  const [name] = named
  if (from === 0 && to === highestValue(protocol)) return `${name} any`
  if (from !== to) return `${name} ${from}-${to}`
  const types = name === 'icmp' || name === 'icmpv6' ? Object.entries(icmpTypeNames[name]) : []
  return `${name} ${types.find(([, type]) => type === from)?.[0] ?? from}`
}
