/** ResolvedPolicy → one HostPlan per host. Given the last compilation, only what an inventory change touches is made anew; the bytes are the same. */
import type { HostName, HostPlan, PlannedEndpoint, Revision, Verdict } from '@hyperward/model'
import { hostPlanFormat } from '@hyperward/model'

import type { ResolvedHost, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { type BuiltBlocks, buildLocalBlocks, type LocalBlocks } from './local-blocks.ts'
import {
  chunkKeys,
  digestPlan,
  type PlanSection,
  type PlanSections,
  type SectionChunk,
  type Sha256,
  toSection,
  toSizedSection,
  toWholeSection,
} from './plan-sections.ts'
import { buildRuleTable, createRuleChunks, type RuleChunks, type RuleTable, ruleTableKey } from './rule-table.ts'
import { createRuleBook, directions, type RuleBook } from './rule-book.ts'

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
  /** The content of each plan in chunks; equal chunks are one object, over hosts and from one compilation to the next. */
  readonly sections: ReadonlyMap<HostName, PlanSections>
  /** Kept for the next compilation; of no use to others. */
  readonly records: CompileRecords
}

interface CompileRecords {
  readonly book: RuleBook
  readonly blocks: LocalBlocks
  readonly ruleChunks: RuleChunks
  readonly tables: ReadonlyMap<string, RuleTable>
  /** In the order of the plans. */
  readonly hosts: readonly HostRecord[]
  readonly shared: Pick<PlanSections, 'addresses' | 'networks' | 'services'>
}

interface HostRecord {
  readonly host: ResolvedHost
  readonly tableKey: string
  readonly table: RuleTable
  /** The blocks in one list, made when somebody reads it: the channel sends chunks. */
  readonly verdicts: () => readonly Verdict[]
  readonly verdictsSection: PlanSection<Verdict>
  readonly endpointsSection: PlanSection<PlannedEndpoint>
}

export function compile(resolved: ResolvedPolicy, { revision, sha256, previous }: CompileOptions): Compilation {
  const last = previous?.resolved.index === resolved.index ? previous : undefined
  const book = last?.records.book ?? createRuleBook(resolved.index)
  const known = last && { resolved: last.resolved, blocks: last.records.blocks }
  const { blocks, isChanged } = buildLocalBlocks(resolved, book, sha256, known)
  const ruleChunks = last?.records.ruleChunks ?? createRuleChunks(resolved.index, sha256)
  const tables = new Map<string, RuleTable>()
  const hosts: HostRecord[] = []
  const shared = cutShared(resolved, sha256, last)
  const plans: HostPlan[] = []
  const sections = new Map<HostName, PlanSections>()
  const recordOf = findRecords(last)
  for (const [at, host] of resolved.hosts.entries()) {
    const before = recordOf(host, at)
    const kept = before?.host === host && last?.resolved.zones === resolved.zones ? before : undefined
    const tableKey = kept?.tableKey ?? ruleTableKey(host.tenants, resolved.zones)
    const made = kept?.table ?? tables.get(tableKey) ?? last?.records.tables.get(tableKey)
    const table = made ?? buildRuleTable(ruleChunks, host.tenants, resolved.zones, sha256)
    tables.set(tableKey, table)
    const record = buildHost({ host, tableKey, table }, blocks, isChanged, sha256, before)
    hosts.push(record)
    const cut = toSections(record, shared)
    sections.set(host.name, cut)
    plans.push(toPlan(record, resolved, cut, revision, sha256))
  }
  return { resolved, plans, sections, records: { book, blocks, ruleChunks, tables, hosts, shared } }
}

/** A host mostly stands where it stood the last time; else it is looked up by name. */
function findRecords(last: Compilation | undefined): (host: ResolvedHost, at: number) => HostRecord | undefined {
  const hosts = last?.records.hosts ?? []
  let byName: ReadonlyMap<HostName, HostRecord> | undefined
  return ({ name }, at) => {
    const there = hosts[at]
    if (there?.host.name === name) return there
    byName ??= new Map(hosts.map((record) => [record.host.name, record]))
    return byName.get(name)
  }
}

function cutShared(resolved: ResolvedPolicy, sha256: Sha256, last: Compilation | undefined): CompileRecords['shared'] {
  const kept = last?.records.shared
  const before = last?.resolved
  return {
    addresses: toSizedSection(
      resolved.addresses,
      chunkKeys.addresses,
      sha256,
      kept === undefined || before === undefined ? undefined : { items: before.addresses, section: kept.addresses },
    ),
    networks: toSizedSection(
      resolved.networks,
      chunkKeys.networks,
      sha256,
      kept === undefined || before === undefined ? undefined : { items: before.networks, section: kept.networks },
    ),
    services: kept?.services ?? toSizedSection(resolved.index.services.classes, chunkKeys.services, sha256),
  }
}

function buildHost(
  { host, tableKey, table }: Pick<HostRecord, 'host' | 'tableKey' | 'table'>,
  localBlocks: LocalBlocks,
  isChanged: BuiltBlocks['isChanged'],
  sha256: Sha256,
  last: HostRecord | undefined,
): HostRecord {
  const same = last?.host === host ? last : undefined
  if (same !== undefined && isChanged !== null && !isChanged(host.locals))
    return same.table === table ? same : { ...same, tableKey, table }
  const blocks = directions.flatMap((_, at) =>
    host.locals.flatMap((local) => {
      const block = localBlocks.get(local)?.[at]
      return block === undefined || block.items.length === 0 ? [] : [block]
    }),
  )
  return {
    host,
    tableKey,
    table,
    verdicts: joinLater(blocks),
    verdictsSection: toSection(blocks, sha256),
    endpointsSection: same?.endpointsSection ?? toWholeSection(host.endpoints, sha256),
  }
}

/** Apart from its caller, so that what is kept for later holds the blocks and nothing else of a compilation that is past. */
function joinLater(blocks: readonly SectionChunk<Verdict>[]): () => readonly Verdict[] {
  let joined: readonly Verdict[] | undefined
  return () => (joined ??= blocks.flatMap((block) => block.items))
}

function toSections(record: HostRecord, shared: CompileRecords['shared']): PlanSections {
  const { endpointsSection, verdictsSection, table } = record
  return {
    endpoints: endpointsSection,
    zones: table.zonesSection,
    addresses: shared.addresses,
    networks: shared.networks,
    services: shared.services,
    verdicts: verdictsSection,
    rules: table.rulesSection,
  }
}

function toPlan(
  { host, verdicts, table }: HostRecord,
  resolved: ResolvedPolicy,
  sections: PlanSections,
  revision: Revision,
  sha256: Sha256,
): HostPlan {
  return {
    format: hostPlanFormat,
    host: host.name,
    revision,
    digest: digestPlan(host.name, sections, sha256),
    sections: {
      endpoints: host.endpoints,
      zones: table.zones,
      addresses: resolved.addresses,
      networks: resolved.networks,
      services: resolved.index.services.classes,
      get verdicts() {
        return verdicts()
      },
      rules: table.rules,
    },
  }
}
