/** Flows, events, audit: what happened. Ids ascend in the order in which a reader sees them (the center stores them one report at a time). */
import type { Queries } from '../store.ts'

export interface NewFlow {
  readonly at: string
  readonly kind: 'drop' | 'flow-start' | 'flow-end' | 'monitor'
  readonly endpoint: string
  readonly vm_name: string | null
  readonly tenant: string | null
  readonly direction: 'ingress' | 'egress'
  readonly action: 'allow' | 'allow-stateless' | 'drop' | 'reject' | 'inspect'
  readonly reason: string | null
  readonly rule: string | null
  readonly source: string | null
  readonly destination: string | null
  readonly protocol: number | null
  readonly source_port: number | null
  readonly destination_port: number | null
  readonly source_mac: string | null
  readonly packets: number
  readonly bytes: number
  readonly suppressed: number
}

export interface FlowRow extends Omit<NewFlow, 'at'> {
  readonly id: number
  readonly at: Date
  readonly host: string
}

const flowFields = `at timestamptz, kind text, endpoint text, vm_name text, tenant text, direction text, action text, reason text, rule text,
  source inet, destination inet, protocol integer, source_port integer, destination_port integer, source_mac text,
  packets bigint, bytes bigint, suppressed bigint`
const flowNames = flowFields.split(',').map((field) => field.trim().split(' ')[0])
const flowColumns = flowNames.join(', ')
// inet prints its prefix length; host() gives the bare address
const flowSelect = `id, host, ${flowNames.map((name) => (name === 'source' || name === 'destination' ? `host(${name}) as ${name}` : name)).join(', ')}`

export async function addFlows(
  db: Queries,
  host: string,
  flows: readonly NewFlow[],
  now: Date,
): Promise<readonly FlowRow[]> {
  if (flows.length === 0) return []
  return db.query<FlowRow>(
    `insert into flow (host, received_at, ${flowColumns})
     select $1, $3, ${flowColumns} from jsonb_to_recordset($2::jsonb) as r(${flowFields}) returning ${flowSelect}`,
    [host, JSON.stringify(flows), now],
  )
}

export interface FlowFilter {
  readonly since?: number | undefined
  readonly limit: number
  readonly host?: string | undefined
  readonly tenant?: string | undefined
  readonly endpoint?: string | undefined
  readonly vm?: string | undefined
  /** ISO 8601. */
  readonly sinceTime?: string | undefined
  /** With its tier or without. */
  readonly rule?: string | undefined
  readonly address?: string | undefined
  readonly kind?: string | undefined
}

export async function readFlows(db: Queries, filter: FlowFilter): Promise<readonly FlowRow[]> {
  return readPage<FlowRow>(db, 'flow', flowSelect, filter, [
    ['host = ?', filter.host],
    ['tenant = ?', filter.tenant],
    ['endpoint = ?', filter.endpoint],
    ["starts_with(endpoint, lower(?) || '/')", filter.vm],
    ['at >= ?::timestamptz', toStoreTime(filter.sinceTime)],
    [
      "rule in (?::text, 'emergency:' || ?, 'platform:' || ?, 'tenant:' || ?, 'baseline:' || ?, 'builtin:' || ?)",
      filter.rule,
    ],
    ['kind = ?', filter.kind],
    ['(source = ?::inet or destination = ?::inet)', filter.address],
  ])
}

export interface EventRow {
  readonly id: number
  readonly at: Date
  readonly host: string | null
  readonly kind: string
  readonly endpoint: string | null
  readonly message: string
}

export interface NewEvent {
  readonly at: string
  readonly kind: string
  readonly endpoint: string | null
  readonly message: string
}

export async function addEvents(
  db: Queries,
  host: string | null,
  events: readonly NewEvent[],
  now: Date,
): Promise<readonly EventRow[]> {
  if (events.length === 0) return []
  return db.query<EventRow>(
    `insert into event (host, received_at, at, kind, endpoint, message)
     select $1, $3, at, kind, endpoint, message
     from jsonb_to_recordset($2::jsonb) as r(at timestamptz, kind text, endpoint text, message text)
     returning id, at, host, kind, endpoint, message`,
    [host, JSON.stringify(events), now],
  )
}

export interface EventFilter {
  readonly since?: number | undefined
  readonly limit: number
  readonly host?: string | undefined
  readonly kind?: string | undefined
  /** ISO 8601. */
  readonly sinceTime?: string | undefined
}

export async function readEvents(db: Queries, filter: EventFilter): Promise<readonly EventRow[]> {
  return readPage<EventRow>(db, 'event', 'id, at, host, kind, endpoint, message', filter, [
    ['host = ?', filter.host],
    ['kind = ?', filter.kind],
    ['at >= ?::timestamptz', toStoreTime(filter.sinceTime)],
  ])
}

export interface AuditRow {
  readonly id: number
  readonly at: Date
  readonly who: string
  readonly action: string
  readonly target: string
  readonly outcome: string
  readonly hash: string
}

export async function readAudit(
  db: Queries,
  page: { readonly since?: number | undefined; readonly limit: number },
): Promise<readonly AuditRow[]> {
  return readPage<AuditRow>(db, 'audit_record', 'id, at, who, action, target, outcome, hash', page, [])
}

/** Chains the record to the one before it. Writers wait for each other, so that each has one predecessor. */
export async function addAudit(
  db: Queries,
  record: Omit<AuditRow, 'id' | 'hash'>,
  toHash: (previous: string, id: number) => string,
): Promise<void> {
  await db.query('lock table audit_record in share row exclusive mode')
  const [last] = await db.query<{ id: number; hash: string }>(
    'select id, hash from audit_record order by id desc limit 1',
  )
  const id = (last?.id ?? 0) + 1
  await db.query(
    'insert into audit_record (id, at, who, action, target, outcome, hash) values ($1, $2, $3, $4, $5, $6, $7)',
    [id, record.at, record.who, record.action, record.target, record.outcome, toHash(last?.hash ?? '', id)],
  )
}

/** Deletes at most `batch` rows received before the time; tells how many. */
export async function deleteBefore(db: Queries, table: 'flow' | 'event', before: Date, batch: number): Promise<number> {
  const rows = await db.query<{ count: number }>(
    `with gone as (delete from ${table} where id in (select id from ${table} where received_at < $1 order by id limit $2) returning 1)
     select count(*) as count from gone`,
    [before, batch],
  )
  return rows[0]?.count ?? 0
}

/** Deletes at most `batch` of the oldest rows beyond the newest `keep`; tells how many. */
export async function deleteBeyond(db: Queries, table: 'flow' | 'event', keep: number, batch: number): Promise<number> {
  const rows = await db.query<{ count: number }>(
    `with gone as (delete from ${table} where id in (
       select id from ${table} where id <= (select max(id) from ${table}) - $1 order by id limit $2) returning 1)
     select count(*) as count from gone`,
    [keep, batch],
  )
  return rows[0]?.count ?? 0
}

/** Conditions with `?` for their one value; those without a value are left out. With `since` onwards from there, otherwise the latest; ascending either way. */
async function readPage<Row>(
  db: Queries,
  table: string,
  columns: string,
  page: { readonly since?: number | undefined; readonly limit: number },
  conditions: readonly (readonly [string, string | undefined])[],
): Promise<readonly Row[]> {
  const values: unknown[] = [page.limit]
  const where: string[] = []
  for (const [condition, value] of [['id > ?', page.since] as const, ...conditions]) {
    if (value === undefined) continue
    values.push(value)
    where.push(condition.replaceAll('?', `$${values.length}`))
  }
  const filter = where.length === 0 ? '' : `where ${where.join(' and ')}`
  if (page.since !== undefined) {
    return db.query<Row>(`select ${columns} from ${table} ${filter} order by id limit $1`, values)
  }
  const latest = `select * from ${table} ${filter} order by id desc limit $1`
  return db.query<Row>(`select ${columns} from (${latest}) as latest order by id`, values)
}

/** With the store's own zone: it takes not every offset that ISO 8601 has. */
function toStoreTime(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new Date(text).toISOString()
}
