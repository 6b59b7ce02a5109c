/**
 * What nft was found to hold, beside what plan and attachments want: told endpoint by endpoint, nothing changed. Sets and maps are compared element by element, chains
 * by their number of rules, and word for word with how they were told before. Pure.
 */
import type { EndpointId } from '@hyperward/model'

import type { Desired } from './desired.ts'
import { canonicalKey, canonicalValue } from './elements.ts'
import { diff } from './diff.ts'
import { id, type State } from './state.ts'

export interface Realized {
  readonly endpoints: readonly {
    readonly endpoint: EndpointId
    readonly device: string
    /** Verdict rows read back that concern its addresses. */
    readonly rows: number
    /** What differs from the plan, in words; empty = nothing. */
    readonly findings: readonly string[]
  }[]
  readonly tables: readonly RealizedTable[]
}

export interface RealizedTable {
  readonly table: 'addresses' | 'networks' | 'services' | 'verdicts'
  /** As read back. */
  readonly rows: number
  readonly missing: number
  readonly surplus: number
  readonly different: number
}

export interface Found {
  /** What stood after the last change; null = nothing is known to have been loaded. */
  readonly loaded: State | null
  /** How nft told the chains the last time, and now; null = not asked since they changed. */
  readonly printsThen: ReadonlyMap<string, string> | null
  readonly printsNow: ReadonlyMap<string, string>
  /** Of bridges that keep their packets from being judged, in words. */
  readonly silent: readonly string[]
  /** Elements by `family name`, key to value. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Number of rules by `family name` of a chain. */
  readonly rules: ReadonlyMap<string, number>
}

export interface ElementDifference {
  readonly missing: readonly string[]
  readonly surplus: readonly string[]
  readonly different: readonly string[]
}

export function compareElements(
  wanted: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): ElementDifference {
  const canonical = new Map([...wanted].map(([key, value]) => [canonicalKey(key), canonicalValue(value)]))
  return {
    missing: [...canonical.keys()].filter((key) => !found.has(key)),
    surplus: [...found.keys()].filter((key) => !canonical.has(key)),
    different: [...canonical].flatMap(([key, value]) => (found.has(key) && found.get(key) !== value ? [key] : [])),
  }
}

const tableNames = ['addresses', 'networks', 'services', 'verdicts'] as const
const tableOf = (name: string): RealizedTable['table'] | null =>
  /^inet addresses[46]$/.test(name)
    ? 'addresses'
    : /^inet peer_networks[46]$/.test(name)
      ? 'networks'
      : /^inet (?:services|protocols)_/.test(name)
        ? 'services'
        : /^inet (?:egress|ingress)_/.test(name)
          ? 'verdicts'
          : null

export function toRealized(desired: Desired, wanted: State, found: Found): Realized {
  const totals = new Map<RealizedTable['table'], RealizedTable>()
  const wrong = new Map<string, number>()
  const rows = new Map<string, number>()
  const none: ReadonlyMap<string, string> = new Map()
  const names = new Set([...wanted.sets.keys(), ...found.elements.keys()])
  for (const name of names) {
    const table = tableOf(name)
    if (table === null) continue
    const there = found.elements.get(name) ?? none
    const difference = compareElements(wanted.sets.get(name)?.elements ?? none, there)
    const before = totals.get(table)
    totals.set(table, {
      table,
      // each service is there twice, once for each direction
      rows: (/^inet (?:services|protocols)_ingress$/.test(name) ? 0 : there.size) + (before?.rows ?? 0),
      missing: difference.missing.length + (before?.missing ?? 0),
      surplus: difference.surplus.length + (before?.surplus ?? 0),
      different: difference.different.length + (before?.different ?? 0),
    })
    if (table !== 'verdicts') continue
    for (const key of there.keys()) add(rows, localOf(key))
    for (const key of Object.values(difference).flat()) add(wrong, localOf(key))
  }
  const identityOf = new Map(desired.local.map(({ address, identity }) => [address, String(identity)]))
  const changed = new Set(
    [...wanted.chains].flatMap(([name, { rules }]) =>
      found.rules.get(name) !== rules.length ||
      (found.printsThen !== null && found.printsThen.get(name) !== found.printsNow.get(name))
        ? [name]
        : [],
    ),
  )
  const forAll = [
    ...(found.loaded === null || diff(found.loaded, wanted).length > 0
      ? ['what was loaded last is not this plan']
      : []),
    ...[...changed]
      .filter((name) => !/^(?:netdev from|bridge to)_\d+$/.test(name))
      .map((name) => `chain ${name} differs, for all`),
  ]
  return {
    endpoints: desired.ports.map((port) => {
      const findings = [...forAll, ...(port.closed ? [] : found.silent)]
      if (changed.has(id('netdev', `from_${port.ifindex}`))) findings.push('the guard of what it sends differs')
      if (changed.has(id('bridge', `to_${port.ifindex}`))) findings.push('the guard of what reaches it differs')
      for (const name of ['bridge ports', 'inet taps']) {
        const key = String(port.ifindex)
        if (found.elements.get(name)?.get(key) !== canonicalValue(wanted.sets.get(name)?.elements?.get(key) ?? ''))
          findings.push(`its tap is not in ${name.slice(name.indexOf(' ') + 1)}`)
      }
      if (port.closed) return { endpoint: port.endpoint, device: port.device, rows: 0, findings }
      for (const address of port.addresses) {
        const family = address.includes(':') ? 6 : 4
        for (const set of [`local${family}`, `own${family}`, `zones${family}`]) {
          const wantedValue = wanted.sets.get(`inet ${set}`)?.elements?.get(address)
          if (found.elements.get(`inet ${set}`)?.get(address) === canonicalValue(wantedValue ?? '')) continue
          findings.push(`its address ${address} is not held to be its own`)
          break
        }
      }
      let count = 0
      for (const identity of new Set(port.addresses.flatMap((address) => identityOf.get(address) ?? []))) {
        count += rows.get(identity) ?? 0
        const differing = wrong.get(identity) ?? 0
        if (differing > 0) findings.push(`${differing} of its verdicts are not those of the plan`)
      }
      return { endpoint: port.endpoint, device: port.device, rows: count, findings }
    }),
    tables: desired.sections === null ? [] : tableNames.flatMap((table) => totals.get(table) ?? []),
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** The local identity is the first part of each verdict's key. */
function localOf(key: string): string {
  return key.split(' . ')[0] ?? ''
}
