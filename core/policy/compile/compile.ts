/** ResolvedPolicy → one HostPlan per host. Given the last compilation, only what an inventory change touches is made anew; the bytes are the same. */
import type { Direction, HostName, HostPlan, PlannedEndpoint, Revision, Verdict } from '@hyperward/model'
import { hostPlanFormat } from '@hyperward/model'

import type { IdentityClass, ResolvedHost, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { type LocalRules, selectLocalRules } from './local-rules.ts'
import {
  chunkKeys,
  digestPlan,
  type PlanSection,
  type PlanSections,
  type SectionChunk,
  type Sha256,
  toChunk,
  toSection,
  toSizedSection,
  toWholeSection,
} from './plan-sections.ts'
import { buildRuleTable, createRuleChunks, type RuleChunks, type RuleTable, ruleTableKey } from './rule-table.ts'
import { createRowBudget, verdictRows } from './verdict-rows.ts'

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
  readonly locals: ReadonlyMap<IdentityClass, LocalBlocks>
  readonly ruleChunks: RuleChunks
  readonly tables: ReadonlyMap<string, RuleTable>
  readonly hosts: ReadonlyMap<HostName, HostRecord>
  readonly shared: Pick<PlanSections, 'addresses' | 'networks' | 'services'>
}

/** Per direction, in the order of {@link directions}. */
interface LocalBlocks {
  readonly rules: readonly LocalRules[]
  readonly blocks: readonly SectionChunk<Verdict>[]
}

interface HostRecord {
  readonly host: ResolvedHost
  readonly tableKey: string
  readonly table: RuleTable
  readonly verdicts: readonly Verdict[]
  readonly verdictsSection: PlanSection<Verdict>
  readonly endpointsSection: PlanSection<PlannedEndpoint>
}

const directions: readonly Direction[] = ['egress', 'ingress']

export function compile(resolved: ResolvedPolicy, { revision, sha256, previous }: CompileOptions): Compilation {
  const last = previous?.resolved.index === resolved.index ? previous : undefined
  const { locals, changed } = buildLocals(resolved, sha256, last)
  const ruleChunks = last?.records.ruleChunks ?? createRuleChunks(resolved.index, sha256)
  const tables = new Map<string, RuleTable>()
  const hosts = new Map<HostName, HostRecord>()
  const shared = cutShared(resolved, sha256, last)
  const plans: HostPlan[] = []
  const sections = new Map<HostName, PlanSections>()
  for (const host of resolved.hosts) {
    const before = last?.records.hosts.get(host.name)
    const kept = before?.host === host && last?.resolved.zones === resolved.zones ? before : undefined
    const tableKey = kept?.tableKey ?? ruleTableKey(host.tenants, resolved.zones)
    const known = kept?.table ?? tables.get(tableKey) ?? last?.records.tables.get(tableKey)
    const table = known ?? buildRuleTable(ruleChunks, host.tenants, resolved.zones, sha256)
    tables.set(tableKey, table)
    const record = buildHost({ host, tableKey, table }, locals, changed, sha256, before)
    hosts.set(host.name, record)
    const cut = toSections(record, shared)
    sections.set(host.name, cut)
    plans.push(toPlan(record, resolved, cut, revision, sha256))
  }
  return { resolved, plans, sections, records: { locals, ruleChunks, tables, hosts, shared } }
}

interface BuiltLocals {
  readonly locals: ReadonlyMap<IdentityClass, LocalBlocks>
  /** Those whose blocks are not those of the last time; null = every one. */
  readonly changed: ReadonlySet<IdentityClass> | null
}

/** The blocks of every identity that endpoints have. A block is kept when no class that its rules' peer sides tell from the world came, went or was renumbered. */
function buildLocals(resolved: ResolvedPolicy, sha256: Sha256, last: Compilation | undefined): BuiltLocals {
  const before = last?.records.locals
  if (before !== undefined && last?.resolved.classes === resolved.classes) return { locals: before, changed: new Set() }
  const touchedSides = findTouchedSides(resolved, last?.resolved)
  const locals = new Map<IdentityClass, LocalBlocks>()
  const stale: {
    readonly local: IdentityClass
    readonly rules: readonly LocalRules[]
    readonly known?: LocalBlocks
  }[] = []
  for (const local of resolved.classes) {
    if (local.signature.tenant === null) continue
    const known = before?.get(local)
    if (known === undefined) {
      stale.push({ local, rules: directions.map((direction) => selectLocalRules(resolved.index, local, direction)) })
    } else if (touchedSides === null || !known.rules.every((one) => isDisjoint(touchedSides, one.peerSides))) {
      stale.push({ local, rules: known.rules, known })
    } else locals.set(local, known)
  }
  const peersBySide = groupBySide(
    resolved,
    new Set(stale.flatMap(({ rules }) => rules.flatMap((one) => [...one.peerSides]))),
  )
  const { bySignature } = resolved.records.numbers
  const world = bySignature.get(resolved.records.signatures.world)
  if (world === undefined) throw new Error('the world has no class')
  const budget = createRowBudget(stale.length * directions.length)
  for (const { local, rules, known } of stale) {
    const blocks = rules.map((one, at) => {
      const kept = known?.blocks[at]
      if (kept !== undefined && touchedSides !== null && isDisjoint(touchedSides, one.peerSides)) return kept
      const rows = verdictRows(one, local.identity, world, peersBySide, budget)
      budget.next()
      return toChunk(rows, sha256)
    })
    locals.set(local, { rules, blocks })
  }
  return { locals, changed: last === undefined ? null : new Set(stale.map(({ local }) => local)) }
}

/** For each of the sides wanted, the classes that it tells from the world. */
function groupBySide(
  resolved: ResolvedPolicy,
  wanted: ReadonlySet<number>,
): ReadonlyMap<number, readonly IdentityClass[]> {
  const found = new Map<number, IdentityClass[]>([...wanted].map((side) => [side, []]))
  for (const peer of resolved.classes) for (const side of peer.signature.unlikeWorld) found.get(side)?.push(peer)
  return found
}

function isDisjoint(some: ReadonlySet<number>, others: ReadonlySet<number>): boolean {
  for (const one of some) if (others.has(one)) return false
  return true
}

/** Sides that tell another set of classes from the world than the last time; null when there was no last time. */
function findTouchedSides(resolved: ResolvedPolicy, last: ResolvedPolicy | undefined): ReadonlySet<number> | null {
  if (last === undefined) return null
  const touched = new Set<number>()
  if (last.classes === resolved.classes) return touched
  const before = new Set(last.classes)
  const after = new Set(resolved.classes)
  const mark = (one: IdentityClass): void => {
    for (const side of one.signature.unlikeWorld) touched.add(side)
  }
  for (const one of last.classes) if (!after.has(one)) mark(one)
  for (const one of resolved.classes) if (!before.has(one)) mark(one)
  return touched
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
  locals: ReadonlyMap<IdentityClass, LocalBlocks>,
  changed: ReadonlySet<IdentityClass> | null,
  sha256: Sha256,
  last: HostRecord | undefined,
): HostRecord {
  const same = last?.host === host ? last : undefined
  if (same !== undefined && changed !== null && !host.locals.some((local) => changed.has(local)))
    return same.table === table ? same : { ...same, tableKey, table }
  const blocks = directions.flatMap((_, at) =>
    host.locals.flatMap((local) => {
      const block = locals.get(local)?.blocks[at]
      return block === undefined || block.items.length === 0 ? [] : [block]
    }),
  )
  const verdicts: Verdict[] = []
  for (const block of blocks) for (const row of block.items) verdicts.push(row)
  return {
    host,
    tableKey,
    table,
    verdicts,
    verdictsSection: toSection(blocks, sha256),
    endpointsSection: same?.endpointsSection ?? toWholeSection(host.endpoints, sha256),
  }
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
      verdicts,
      rules: table.rules,
    },
  }
}
