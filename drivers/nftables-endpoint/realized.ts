/**
 * What nft was found to hold, beside what plan and attachments want: told endpoint by endpoint, nothing changed. Chains are compared word for word with what stood after
 * they were loaded, exact sets and maps by their size. Pure.
 */
import type { EndpointId } from '@hyperward/model'

import type { Desired } from './desired.ts'
import { diff } from './diff.ts'
import type { State } from './state.ts'

export interface Realized {
  readonly endpoints: readonly {
    readonly endpoint: EndpointId
    readonly device: string
    readonly rows: number
    readonly findings: readonly string[]
  }[]
  readonly tables: readonly RealizedTable[]
}

interface RealizedTable {
  readonly table: 'addresses' | 'networks' | 'services' | 'verdicts'
  readonly rows: number
  readonly missing: number
  readonly surplus: number
  readonly different: number
}

export interface Found {
  /** What stood after the last change; null = nothing is known to have been loaded. */
  readonly loaded: State | null
  readonly printsThen: ReadonlyMap<string, string>
  readonly printsNow: ReadonlyMap<string, string>
  /** Number of elements by `family name`. */
  readonly elements: ReadonlyMap<string, number>
  /** Of bridges that keep their packets from being judged, in words. */
  readonly silent: readonly string[]
}

const sets: readonly { readonly table: RealizedTable['table']; readonly names: RegExp }[] = [
  { table: 'addresses', names: /^inet addresses[46]$/ },
  { table: 'networks', names: /^inet peer_networks[46]$/ },
  { table: 'services', names: /^inet (services|protocols)_egress$/ },
  { table: 'verdicts', names: /^inet (egress|ingress)_(any_)?\d+$/ },
]

export function toRealized(desired: Desired, wanted: State, found: Found): Realized {
  const { loaded, printsThen, printsNow, elements } = found
  const other = loaded === null || diff(loaded, wanted).length > 0 ? ['what was loaded last is not this plan'] : []
  const changed = new Set(
    [...wanted.chains.keys()].filter((name) => !printsNow.has(name) || printsNow.get(name) !== printsThen.get(name)),
  )
  const own = /^(netdev from|bridge to)_\d+$/
  const shared = [...changed].filter((name) => !own.test(name)).map((name) => `chain ${name} differs, for all`)
  const tables = sets.map(({ table, names }) => countTable(table, names, wanted, elements))
  const listed = tables.every(({ missing, surplus }) => missing + surplus === 0)
  return {
    endpoints: desired.ports.map((port) => {
      const { endpoint, device, ifindex } = port
      const findings = [
        ...other,
        ...(changed.has(`netdev from_${ifindex}`) ? ['the guard of what it sends differs'] : []),
        ...(changed.has(`bridge to_${ifindex}`) ? ['the guard of what reaches it differs'] : []),
        ...shared,
        ...(port.closed ? [] : found.silent),
      ]
      return { endpoint, device, rows: listed ? countRows(port.addresses, desired) : 0, findings }
    }),
    tables: desired.sections === null ? [] : tables,
  }
}

/** Intervals that touch are listed as one or two: those are only counted. */
function countTable(
  table: RealizedTable['table'],
  names: RegExp,
  wanted: State,
  elements: ReadonlyMap<string, number>,
): RealizedTable {
  let [rows, missing, surplus] = [0, 0, 0]
  for (const [name, set] of wanted.sets) {
    if (!names.test(name)) continue
    const count = elements.get(name)
    rows += count ?? 0
    if (set.interval && count !== undefined) continue
    missing += Math.max(0, (set.elements?.size ?? 0) - (count ?? 0))
    surplus += Math.max(0, (count ?? 0) - (set.elements?.size ?? 0))
  }
  return { table, rows, missing, surplus, different: 0 }
}

function countRows(addresses: readonly string[], { local, sections }: Desired): number {
  const identities = new Set(local.filter(({ address }) => addresses.includes(address)).map(({ identity }) => identity))
  return sections?.verdicts.filter((row) => identities.has(row.local)).length ?? 0
}
