/** VMs as hosts report them, the center's word over them, and what became of their endpoints. */
import type { Queries } from '../store.ts'

export interface StoredEndpoint {
  readonly mac: string
  readonly addresses: readonly string[]
  /** Absent = the host did not tell it. */
  readonly segment?: string | undefined
}

export interface VmRow {
  readonly uuid: string
  readonly host: string
  readonly name: string
  readonly tenant: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly os: string | null
  readonly endpoints: readonly StoredEndpoint[]
  readonly claimed_at: Date
  readonly seen_at: Date
}

export interface OverrideRow {
  readonly uuid: string
  readonly tenant: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: Readonly<Record<string, readonly string[]>>
  readonly os: string | null
}

/** Every claim, the oldest first. */
export async function readVms(db: Queries): Promise<readonly VmRow[]> {
  return db.query<VmRow>(
    'select uuid, host, name, tenant, labels, os, endpoints, claimed_at, seen_at from vm order by claimed_at, host, uuid',
  )
}

export async function readOverrides(db: Queries): Promise<readonly OverrideRow[]> {
  return db.query<OverrideRow>('select uuid, tenant, labels, addresses, os from vm_override order by uuid')
}

export interface ReportedVmRow {
  readonly uuid: string
  readonly name: string
  readonly tenant: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly os: string | null
  readonly endpoints: readonly StoredEndpoint[]
}

/** Replaces the whole set of one host. A VM the host named before keeps the time of its claim. */
export async function replaceVms(db: Queries, host: string, vms: readonly ReportedVmRow[], now: Date): Promise<void> {
  await db.query('delete from vm where host = $1 and not (uuid = any($2::text[]))', [host, vms.map((vm) => vm.uuid)])
  await db.query(
    `insert into vm (host, uuid, name, tenant, labels, os, endpoints, claimed_at, seen_at)
     select $1, r.uuid, r.name, r.tenant, r.labels, r.os, r.endpoints, $3, $3
     from jsonb_to_recordset($2::jsonb) as r(uuid text, name text, tenant text, labels jsonb, os text, endpoints jsonb)
     on conflict (host, uuid) do update
       set name = excluded.name, tenant = excluded.tenant, labels = excluded.labels, os = excluded.os, endpoints = excluded.endpoints, seen_at = excluded.seen_at`,
    [host, JSON.stringify(vms), now],
  )
}

export async function writeOverride(db: Queries, row: OverrideRow, now: Date): Promise<void> {
  await db.query(
    `insert into vm_override (uuid, tenant, labels, addresses, os, updated_at) values ($1, $2, $3, $4, $5, $6)
     on conflict (uuid) do update set tenant = excluded.tenant, labels = excluded.labels, addresses = excluded.addresses, os = excluded.os, updated_at = excluded.updated_at`,
    [row.uuid, row.tenant, JSON.stringify(row.labels), JSON.stringify(row.addresses), row.os, now],
  )
}

export interface EndpointStatusRow {
  readonly host: string
  readonly endpoint: string
  readonly vm_name: string
  readonly device: string | null
  readonly state: 'enforced' | 'closed'
  readonly reason: string | null
  readonly seen_at: Date
}

export async function readEndpointStatus(db: Queries): Promise<readonly EndpointStatusRow[]> {
  return db.query<EndpointStatusRow>(
    'select host, endpoint, vm_name, device, state, reason, seen_at from endpoint_status order by endpoint, host',
  )
}

export interface StatusReport {
  readonly host: string
  readonly revision: number
  readonly driver: string
  readonly drift: number
  readonly rssBytes: number
  readonly endpoints: readonly {
    readonly endpoint: string
    readonly vmName: string
    readonly device: string | null
    readonly state: 'enforced' | 'closed'
    readonly reason: string | null
  }[]
  readonly counters: readonly {
    readonly rule: string
    readonly packets: number
    readonly bytes: number
    readonly hits: number
  }[]
  /** Those of the host's plan. */
  readonly rules: ReadonlySet<string>
  readonly now: Date
}

/** Replaces the host's endpoint states and takes its counters. */
export async function storeStatus(db: Queries, report: StatusReport): Promise<void> {
  await db.query('update host set held_revision = $2, driver = $3, drift = $4, rss_bytes = $5 where name = $1', [
    report.host,
    report.revision,
    report.driver,
    report.drift,
    Math.round(report.rssBytes),
  ])
  await db.query('delete from endpoint_status where host = $1', [report.host])
  await db.query(
    `insert into endpoint_status (host, endpoint, vm_name, device, state, reason, seen_at)
     select $1, r.endpoint, r."vmName", r.device, r.state, r.reason, $3
     from jsonb_to_recordset($2::jsonb) as r(endpoint text, "vmName" text, device text, state text, reason text)`,
    [report.host, JSON.stringify(report.endpoints), report.now],
  )
  await storeCounters(db, report)
}

/**
 * A count below the last one means that the host's counters began anew: what they had reached becomes the base, so that a sum never goes down. A rule is
 * counted if the host's plan has it, or had it: a host cannot make rules up.
 */
async function storeCounters(db: Queries, report: StatusReport): Promise<void> {
  const byRule = new Map(report.counters.map((each) => [each.rule, each]))
  const counters = [...byRule.values()].map((each) => ({ ...each, planned: report.rules.has(each.rule) }))
  await db.query(
    `insert into rule_counter (host, rule, last_packets, last_bytes, last_hits, hit_at, seen_at)
     select $1, r.rule, r.packets, r.bytes, r.hits, case when r.hits > 0 then $3::timestamptz end, $3
     from jsonb_to_recordset($2::jsonb) as r(rule text, packets bigint, bytes bigint, hits bigint, planned boolean)
     where r.planned or exists (select 1 from rule_counter known where known.host = $1 and known.rule = r.rule)
     on conflict (host, rule) do update set
       base_packets = ${toBase('packets')}, base_bytes = ${toBase('bytes')}, base_hits = ${toBase('hits')},
       last_packets = excluded.last_packets, last_bytes = excluded.last_bytes, last_hits = excluded.last_hits, seen_at = $3,
       hit_at = case when ${restarted} and excluded.last_hits > 0 or excluded.last_hits > rule_counter.last_hits then $3 else rule_counter.hit_at end`,
    [report.host, JSON.stringify(counters), report.now],
  )
}

function toBase(what: 'packets' | 'bytes' | 'hits'): string {
  return `case when ${restarted} then ${clamp(`rule_counter.base_${what}::numeric + rule_counter.last_${what}`)} else rule_counter.base_${what} end`
}

/** What a host says may be anything: a sum stays a number that JSON can carry. */
function clamp(sum: string): string {
  return `least(${sum}, ${Number.MAX_SAFE_INTEGER})::bigint`
}

const restarted = `(excluded.last_packets < rule_counter.last_packets or excluded.last_bytes < rule_counter.last_bytes or excluded.last_hits < rule_counter.last_hits)`

export interface RuleCountRow {
  readonly rule: string
  readonly packets: number
  readonly bytes: number
  readonly hits: number
  readonly hit_at: Date | null
}

/** Summed over hosts. */
export async function readRuleCounts(db: Queries): Promise<readonly RuleCountRow[]> {
  return db.query<RuleCountRow>(
    `select rule, ${clamp('sum(base_packets::numeric + last_packets)')} as packets, ${clamp('sum(base_bytes::numeric + last_bytes)')} as bytes,
       ${clamp('sum(base_hits::numeric + last_hits)')} as hits, max(hit_at) as hit_at from rule_counter group by rule order by rule`,
  )
}

/** Lets go of counters that no host reported since; tells how many. */
export async function deleteCountersBefore(db: Queries, before: Date): Promise<number> {
  const rows = await db.query('delete from rule_counter where seen_at < $1 returning 1', [before])
  return rows.length
}
