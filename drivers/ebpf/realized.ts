/** What the kernel was found to hold, beside what plan and attachments want: told endpoint by endpoint, nothing changed. Pure. */
import type { Address, EndpointId, Verdict } from '@hyperward/model'

import type { EndpointRow, RuleLabel, Tables } from './desired.ts'
import { verdictKey } from './diff.ts'

export interface Realized {
  readonly endpoints: readonly RealizedEndpoint[]
  readonly tables: readonly RealizedTable[]
}

export interface RealizedEndpoint {
  readonly endpoint: EndpointId
  readonly device: string
  /** Verdict rows read back that concern its addresses. */
  readonly rows: number
  /** What differs from the plan, in words; empty = nothing. */
  readonly findings: readonly string[]
}

export interface RealizedTable {
  readonly table: 'addresses' | 'networks' | 'services' | 'verdicts'
  /** As read back. */
  readonly rows: number
  readonly missing: number
  readonly surplus: number
  readonly different: number
}

export interface WantedEndpoint {
  readonly endpoint: EndpointId
  readonly device: string
  readonly row: EndpointRow
  /** null, or what differs from both programs being attached. */
  readonly hook: string | null
}

/** `found.tables` null = nothing is loaded. */
export function toRealized(
  wanted: { readonly tables: Tables | null; readonly endpoints: readonly WantedEndpoint[] },
  found: { readonly tables: Tables | null; readonly endpoints: ReadonlyMap<number, EndpointRow> },
): Realized {
  const { tables } = wanted
  const sets = tables === null ? null : compareTables(tables, found.tables ?? nothing)
  return {
    endpoints: wanted.endpoints.map(({ endpoint, device, row, hook }) => {
      const findings = [...(hook === null ? [] : [hook]), ...compareEndpoint(row, found.endpoints.get(row.ifindex))]
      if (row.closed || tables === null || sets === null) return { endpoint, device, rows: 0, findings }
      const own = [...tables.owners].flatMap(([address, ifindex]) => (ifindex === row.ifindex ? [address] : []))
      const { rows, told } = describeOwn(own, tables, found.tables ?? nothing, sets)
      return { endpoint, device, rows, findings: [...findings, ...told] }
    }),
    tables: sets === null ? [] : sets.tables,
  }
}

interface ComparedTables {
  readonly tables: readonly RealizedTable[]
  /** Identity → how many verdict rows of it are not as wanted. */
  readonly wrongRows: ReadonlyMap<number, number>
  readonly rows: ReadonlyMap<number, number>
}

function compareTables(wanted: Tables, found: Tables): ComparedTables {
  const addressKey = (tables: Tables) => (row: Tables['addresses'][number]) =>
    `${row.identity}/${tables.owners.get(row.address) ?? 0}`
  const addresses = compareRows(
    toMap(wanted.addresses, (row) => row.address, addressKey(wanted)),
    toMap(found.addresses, (row) => row.address, addressKey(found)),
  )
  const networks = compareRows(
    toMap(
      wanted.networks,
      (row) => row.prefix,
      (row) => `${row.identity}`,
    ),
    toMap(
      found.networks,
      (row) => row.prefix,
      (row) => `${row.identity}`,
    ),
  )
  const services = compareRows(
    toMap(
      wanted.services,
      (row) => `${row.protocol}/${row.from}`,
      (row) => `${row.to}/${row.class}`,
    ),
    toMap(
      found.services,
      (row) => `${row.protocol}/${row.from}`,
      (row) => `${row.to}/${row.class}`,
    ),
  )
  const verdicts = compareRows(
    toMap(wanted.verdicts, verdictKey, (row) => describeVerdict(wanted, row)),
    toMap(found.verdicts, verdictKey, (row) => describeVerdict(found, row)),
  )
  const wrong = new Set([...verdicts.missing, ...verdicts.surplus, ...verdicts.different])
  const wrongRows = new Map<number, number>()
  const counted = new Set<string>()
  for (const row of [...wanted.verdicts, ...found.verdicts]) {
    const key = verdictKey(row)
    if (!wrong.has(key) || counted.has(key)) continue
    counted.add(key)
    wrongRows.set(row.local, (wrongRows.get(row.local) ?? 0) + 1)
  }
  const rows = new Map<number, number>()
  for (const { local } of found.verdicts) rows.set(local, (rows.get(local) ?? 0) + 1)
  return {
    tables: [
      toCounts('addresses', found.addresses.length, addresses),
      toCounts('networks', found.networks.length, networks),
      toCounts('services', found.services.length, services),
      toCounts('verdicts', found.verdicts.length, verdicts),
    ],
    wrongRows,
    rows,
  }
}

interface RowDifference {
  readonly missing: readonly string[]
  readonly surplus: readonly string[]
  readonly different: readonly string[]
}

function compareRows(wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): RowDifference {
  return {
    missing: [...wanted.keys()].filter((key) => !found.has(key)),
    surplus: [...found.keys()].filter((key) => !wanted.has(key)),
    different: [...wanted].flatMap(([key, value]) => (found.has(key) && found.get(key) !== value ? [key] : [])),
  }
}

function toCounts(table: RealizedTable['table'], rows: number, difference: RowDifference): RealizedTable {
  const { missing, surplus, different } = difference
  return { table, rows, missing: missing.length, surplus: surplus.length, different: different.length }
}

function toMap<T>(rows: readonly T[], keyOf: (row: T) => string, valueOf: (row: T) => string): Map<string, string> {
  return new Map(rows.map((row) => [keyOf(row), valueOf(row)]))
}

/** By what rule numbers mean: rows read back have numbers of their own. */
function describeVerdict(tables: Tables, { action, rule, monitor }: Verdict): string {
  const name = (number: number): string => describeRule(tables.rules.get(number))
  return `${action} ${name(rule)} ${monitor === undefined ? '' : name(monitor)}`
}

function describeRule(label: RuleLabel | undefined): string {
  return label === undefined ? '?' : `${label.ref} ${label.log} ${label.logRate ?? ''}`
}

function compareEndpoint(wanted: EndpointRow, found: EndpointRow | undefined): readonly string[] {
  if (found === undefined) return ['the programs do not know this interface: nothing passes']
  const told: string[] = []
  if (found.endpoint !== wanted.endpoint) told.push(`the interface is taken for ${found.endpoint}`)
  if (found.closed !== wanted.closed) told.push(found.closed ? 'it is closed' : 'it is open, and should be closed')
  if (found.mac !== wanted.mac) told.push(`its MAC is held to be ${found.mac}`)
  if (found.zone !== wanted.zone) told.push(`its connections are in zone ${found.zone} instead of ${wanted.zone}`)
  if (found.segment !== wanted.segment) told.push('it is held to be on another bridge')
  return told
}

function describeOwn(
  addresses: readonly Address[],
  wanted: Tables,
  found: Tables,
  { rows, wrongRows }: ComparedTables,
): { readonly rows: number; readonly told: readonly string[] } {
  const identities = new Map(wanted.addresses.map((row) => [row.address, row.identity]))
  const loaded = new Map(found.addresses.map((row) => [row.address, row.identity]))
  const told: string[] = []
  let count = 0
  for (const address of addresses) {
    if (loaded.get(address) !== identities.get(address) || found.owners.get(address) !== wanted.owners.get(address))
      told.push(`its address ${address} is not held to be its own`)
  }
  for (const identity of new Set(addresses.flatMap((address) => identities.get(address) ?? []))) {
    count += rows.get(identity) ?? 0
    const wrong = wrongRows.get(identity) ?? 0
    if (wrong > 0) told.push(`${wrong} of its verdicts are not those of the plan`)
  }
  return { rows: count, told }
}

const nothing: Tables = {
  addresses: [],
  networks: [],
  services: [],
  verdicts: [],
  rules: new Map(),
  owners: new Map(),
}
