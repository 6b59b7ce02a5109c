/** ResolvedPolicy → one HostPlan per host. Given the last compilation, only what an inventory change touches is made anew; the bytes are the same. */
import type { Digest, Direction, HostPlan, Revision, Verdict } from '@hyperward/model'
import { hostPlanFormat } from '@hyperward/model'

import type { IdentityClass, ResolvedHost, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import {
  type ChunkedDigest,
  digestAddresses,
  digestBlocks,
  digestPlan,
  digestSection,
  type Sha256,
} from './plan-digest.ts'
import { buildRuleTable, type RuleTable, ruleTableKey, toVerdicts } from './rule-table.ts'
import { buildVerdictBlock, type VerdictBlock } from './verdict-block.ts'
import { type LocalRules, selectLocalRules } from './verdict-rows.ts'

export interface CompileOptions {
  readonly revision: Revision
  readonly sha256: Sha256
  /** The last compilation; used when it is of the same policy, harmless otherwise. */
  readonly previous?: Compilation
}

export interface Compilation {
  readonly resolved: ResolvedPolicy
  /** Sorted by host. */
  readonly plans: readonly HostPlan[]
  /** Kept for the next compilation; of no use to others. */
  readonly records: CompileRecords
}

interface CompileRecords {
  readonly locals: ReadonlyMap<IdentityClass, LocalBlocks>
  readonly tables: ReadonlyMap<string, TableRecord>
  readonly hosts: ReadonlyMap<string, HostRecord>
  readonly shared: SharedDigests
}

interface LocalBlocks {
  readonly rules: readonly LocalRules[]
  readonly blocks: readonly VerdictBlock[]
}

interface TableRecord {
  readonly table: RuleTable
  readonly verdicts: Map<VerdictBlock, readonly Verdict[]>
}

interface HostRecord {
  readonly host: ResolvedHost
  readonly table: TableRecord
  readonly blocks: readonly VerdictBlock[]
  readonly verdicts: readonly Verdict[]
  readonly verdictsDigest: Digest
  readonly endpointsDigest: Digest
}

interface SharedDigests {
  readonly addresses: ChunkedDigest
  readonly networks: Digest
  readonly services: Digest
}

const directions: readonly Direction[] = ['egress', 'ingress']

export function compile(resolved: ResolvedPolicy, { revision, sha256, previous }: CompileOptions): Compilation {
  const last = previous?.resolved.index === resolved.index ? previous : undefined
  const locals = buildLocals(resolved, sha256, last)
  const tables = new Map<string, TableRecord>()
  const hosts = new Map<string, HostRecord>()
  const shared = digestShared(resolved, sha256, last)
  for (const host of resolved.hosts) {
    const key = ruleTableKey(host.tenants, resolved.zones)
    const table = tables.get(key) ?? reuseTable(key, last) ?? newTable(resolved, host, sha256)
    tables.set(key, table)
    hosts.set(host.name, buildHost(host, table, locals, sha256, last?.records.hosts.get(host.name)))
  }
  const plans = [...hosts.values()].map((record) => toPlan(record, resolved, shared, revision, sha256))
  forgetUnused(tables, locals)
  return { resolved, plans, records: { locals, tables, hosts, shared } }
}

/** The blocks of every identity that is local somewhere. A block is kept when no class in its rules' peer sides came, went or was renumbered. */
function buildLocals(
  resolved: ResolvedPolicy,
  sha256: Sha256,
  last: Compilation | undefined,
): Map<IdentityClass, LocalBlocks> {
  const before = last?.records.locals
  const touchedSides = findTouchedSides(resolved, last?.resolved)
  const peersBySide = new Map<number, IdentityClass[]>()
  for (const peer of resolved.classes) {
    for (const side of peer.signature.sides) {
      const list = peersBySide.get(side)
      if (list === undefined) peersBySide.set(side, [peer])
      else list.push(peer)
    }
  }
  const locals = new Map<IdentityClass, LocalBlocks>()
  for (const host of resolved.hosts) {
    for (const local of host.locals) {
      if (locals.has(local)) continue
      const known = before?.get(local)
      const rules = known?.rules ?? directions.map((direction) => selectLocalRules(resolved.index, local, direction))
      const blocks = rules.map((one, at) => {
        const kept = known?.blocks[at]
        const touched = touchedSides === null || [...touchedSides].some((side) => one.peerSides.has(side))
        return kept !== undefined && !touched ? kept : buildVerdictBlock(local, one, peersBySide, sha256)
      })
      locals.set(local, { rules, blocks })
    }
  }
  return locals
}

/** Sides whose set of classes differs from the last time; null when there was no last time. */
function findTouchedSides(resolved: ResolvedPolicy, last: ResolvedPolicy | undefined): ReadonlySet<number> | null {
  if (last === undefined) return null
  const touched = new Set<number>()
  const before = new Set(last.classes)
  const after = new Set(resolved.classes)
  const moved = [
    ...last.classes.filter((one) => !after.has(one)),
    ...resolved.classes.filter((one) => !before.has(one)),
  ]
  for (const one of moved) for (const side of one.signature.sides) touched.add(side)
  return touched
}

function digestShared(resolved: ResolvedPolicy, sha256: Sha256, last: Compilation | undefined): SharedDigests {
  const kept = last?.records.shared
  const before = last?.resolved
  const lastAddresses =
    kept === undefined || before === undefined ? undefined : { addresses: before.addresses, digest: kept.addresses }
  return {
    addresses: digestAddresses(resolved.addresses, sha256, lastAddresses),
    networks:
      kept !== undefined && before?.networks === resolved.networks
        ? kept.networks
        : digestSection(resolved.networks, sha256),
    services: kept?.services ?? digestSection(resolved.index.services.classes, sha256),
  }
}

function reuseTable(key: string, last: Compilation | undefined): TableRecord | undefined {
  const known = last?.records.tables.get(key)
  // a map of its own: the last compilation stays what it was
  return known === undefined ? undefined : { table: known.table, verdicts: new Map(known.verdicts) }
}

function newTable(resolved: ResolvedPolicy, host: ResolvedHost, sha256: Sha256): TableRecord {
  return { table: buildRuleTable(resolved.index, host.tenants, resolved.zones, sha256), verdicts: new Map() }
}

function buildHost(
  host: ResolvedHost,
  table: TableRecord,
  locals: ReadonlyMap<IdentityClass, LocalBlocks>,
  sha256: Sha256,
  last: HostRecord | undefined,
): HostRecord {
  const blocks = directions.flatMap((_, at) =>
    host.locals.flatMap((local) => {
      const block = locals.get(local)?.blocks[at]
      return block === undefined || block.rows.length === 0 ? [] : [block]
    }),
  )
  const endpointsDigest = last?.host === host ? last.endpointsDigest : digestSection(host.endpoints, sha256)
  if (last !== undefined && last.table.table === table.table && sameItems(last.blocks, blocks)) {
    const { verdicts, verdictsDigest } = last
    return { host, table, blocks: last.blocks, verdicts, verdictsDigest, endpointsDigest }
  }
  const verdicts: Verdict[] = []
  for (const block of blocks) {
    const rows = table.verdicts.get(block) ?? toVerdicts(block, table.table)
    table.verdicts.set(block, rows)
    for (const row of rows) verdicts.push(row)
  }
  const digests = blocks.map((block) => block.digest)
  return { host, table, blocks, verdicts, verdictsDigest: digestBlocks(digests, sha256), endpointsDigest }
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

function toPlan(
  record: HostRecord,
  resolved: ResolvedPolicy,
  shared: SharedDigests,
  revision: Revision,
  sha256: Sha256,
): HostPlan {
  const { host, verdicts, verdictsDigest, endpointsDigest } = record
  const { rules, zones, rulesDigest, zonesDigest } = record.table.table
  const digests = {
    addresses: shared.addresses.digest,
    networks: shared.networks,
    services: shared.services,
    endpoints: endpointsDigest,
    zones: zonesDigest,
    verdicts: verdictsDigest,
    rules: rulesDigest,
  }
  return {
    format: hostPlanFormat,
    host: host.name,
    revision,
    digest: digestPlan(host.name, digests, sha256),
    sections: {
      endpoints: host.endpoints,
      zones,
      addresses: resolved.addresses,
      networks: resolved.networks,
      services: resolved.index.services.classes,
      verdicts,
      rules,
    },
  }
}

/** Rows of blocks that are no more are let go, so that memory follows what exists. */
function forgetUnused(tables: ReadonlyMap<string, TableRecord>, locals: ReadonlyMap<IdentityClass, LocalBlocks>): void {
  const used = new Set([...locals.values()].flatMap((local) => local.blocks))
  for (const { verdicts } of tables.values()) {
    for (const block of verdicts.keys()) if (!used.has(block)) verdicts.delete(block)
  }
}
