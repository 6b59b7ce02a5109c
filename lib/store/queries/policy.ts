/** Policy texts, the draft, publications, and the plans they made. */
import type { Queries } from '../store.ts'

export interface PolicyTextRow {
  readonly digest: string
  readonly file: string
  readonly body: string
}

export interface DraftRow extends PolicyTextRow {
  readonly stored_at: Date
  readonly stored_by: string
}

export async function writePolicyText(db: Queries, text: PolicyTextRow): Promise<void> {
  await db.query('insert into policy_text (digest, file, body) values ($1, $2, $3) on conflict (digest) do nothing', [
    text.digest,
    text.file,
    text.body,
  ])
}

export async function writeDraft(
  db: Queries,
  draft: { readonly digest: string; readonly by: string; readonly now: Date },
): Promise<void> {
  await db.query(
    `insert into policy_draft (digest, stored_at, stored_by) values ($1, $2, $3)
     on conflict (singleton) do update set digest = excluded.digest, stored_at = excluded.stored_at, stored_by = excluded.stored_by`,
    [draft.digest, draft.now, draft.by],
  )
}

export async function readDraft(db: Queries): Promise<DraftRow | null> {
  const rows = await db.query<DraftRow>(
    'select t.digest, t.file, t.body, d.stored_at, d.stored_by from policy_draft d join policy_text t using (digest)',
  )
  return rows[0] ?? null
}

export type PublicationCause = 'publish' | 'inventory' | 'schedule'

export interface PublicationRow {
  readonly revision: number
  readonly cause: PublicationCause
  readonly policy_digest: string
  readonly published_at: Date
  readonly published_by: string
}

export interface PublishedPolicyRow extends PublicationRow {
  readonly file: string
  readonly body: string
}

export async function readPublished(db: Queries): Promise<PublishedPolicyRow | null> {
  const rows = await db.query<PublishedPolicyRow>(
    `select p.revision, p.cause, p.policy_digest, p.published_at, p.published_by, t.file, t.body
     from publication p join policy_text t on t.digest = p.policy_digest order by p.revision desc limit 1`,
  )
  return rows[0] ?? null
}

/** The one of this revision, or the latest, newest first. */
export async function readPublications(
  db: Queries,
  select: { readonly revision: number } | { readonly latest: number },
): Promise<readonly PublicationRow[]> {
  const columns = 'revision, cause, policy_digest, published_at, published_by'
  return 'revision' in select
    ? db.query<PublicationRow>(`select ${columns} from publication where revision = $1`, [select.revision])
    : db.query<PublicationRow>(`select ${columns} from publication order by revision desc limit $1`, [select.latest])
}

export interface NewHostPlan {
  readonly host: string
  readonly digest: string
  /** Digests of its sections, in the plan's order. */
  readonly sections: readonly string[]
}

export interface PlanSectionRow {
  readonly digest: string
  /** Digests of its chunks, in order. */
  readonly chunks: readonly string[]
}

export interface PlanChunkRow {
  readonly digest: string
  readonly body: string
}

/** What of new plans may not be stored yet. */
export interface NewPlanContent {
  readonly sections: readonly PlanSectionRow[]
  readonly chunks: readonly PlanChunkRow[]
}

/** Fails on a revision that is not the next one. Earlier plans of the same hosts may not be fetched any more. */
export async function addPublication(
  db: Queries,
  publication: PublicationRow,
  plans: readonly NewHostPlan[],
  content: NewPlanContent,
): Promise<void> {
  await db.query(
    'insert into publication (revision, cause, policy_digest, published_at, published_by) values ($1, $2, $3, $4, $5)',
    [
      publication.revision,
      publication.cause,
      publication.policy_digest,
      publication.published_at,
      publication.published_by,
    ],
  )
  for (const batch of toBatches(content.chunks)) {
    await db.query(
      'insert into plan_chunk (digest, body) select * from unnest($1::text[], $2::text[]) on conflict (digest) do nothing',
      [batch.map((chunk) => chunk.digest), batch.map((chunk) => chunk.body)],
    )
  }
  for (const { digest, chunks } of content.sections) {
    await db.query('insert into plan_section (digest, chunks) values ($1, $2) on conflict (digest) do nothing', [
      digest,
      chunks,
    ])
  }
  await db.query('update host_plan set sections = null where host = any($1::text[]) and sections is not null', [
    plans.map((plan) => plan.host),
  ])
  await db.query(
    `insert into host_plan (host, revision, digest, sections)
     select r.host, $1, r.digest, r.sections from jsonb_to_recordset($2::jsonb) as r(host text, digest text, sections text[])`,
    [publication.revision, JSON.stringify(plans)],
  )
}

const batchLength = 4 * 1024 * 1024

/** Many chunks are small and one may be megabytes: a statement carries so much of them at once. */
function* toBatches(chunks: readonly PlanChunkRow[]): Generator<readonly PlanChunkRow[]> {
  let batch: PlanChunkRow[] = []
  let length = 0
  for (const chunk of chunks) {
    if (batch.length > 0 && length + chunk.body.length > batchLength) {
      yield batch
      batch = []
      length = 0
    }
    batch.push(chunk)
    length += chunk.body.length
  }
  if (batch.length > 0) yield batch
}

export interface StoredSection {
  readonly digest: string
  readonly chunks: readonly { readonly digest: string; readonly bytes: number }[]
}

/** One plan's sections, in order; null when it may not be fetched any more. */
export async function readPlanSections(
  db: Queries,
  host: string,
  revision: number,
): Promise<readonly StoredSection[] | null> {
  const rows = await db.query<PlanSectionRow>(
    `select s.digest, s.chunks from host_plan p, unnest(p.sections) with ordinality as u(digest, at)
     join plan_section s on s.digest = u.digest where p.host = $1 and p.revision = $2 order by u.at`,
    [host, revision],
  )
  const known = await db.query<{ readonly digest: string; readonly bytes: number }>(
    'select digest, octet_length(body) as bytes from plan_chunk where digest = any($1::text[])',
    [[...new Set(rows.flatMap((row) => row.chunks))]],
  )
  const bytes = new Map(known.map((each) => [each.digest, each.bytes]))
  const isWhole = rows.every((row) => row.chunks.every((digest) => bytes.has(digest)))
  if (rows.length === 0 || !isWhole) return null
  return rows.map((row) => ({
    digest: row.digest,
    chunks: row.chunks.map((digest) => ({ digest, bytes: bytes.get(digest) ?? 0 })),
  }))
}

/** Those that are stored, in no order. */
export async function readPlanChunks(db: Queries, digests: readonly string[]): Promise<readonly PlanChunkRow[]> {
  return db.query<PlanChunkRow>('select digest, body from plan_chunk where digest = any($1::text[])', [digests])
}

/** Lets go of sections and chunks that no fetchable plan has. Not while a publication is being stored. */
export async function deleteUnusedSections(db: Queries): Promise<void> {
  await db.query(
    'delete from plan_section where digest not in (select unnest(sections) from host_plan where sections is not null)',
  )
  await db.query('delete from plan_chunk where digest not in (select unnest(chunks) from plan_section)')
}

export interface LatestPlanRow {
  readonly host: string
  readonly revision: number
  readonly digest: string
}

/** What each host should hold. */
export async function readLatestPlans(db: Queries): Promise<readonly LatestPlanRow[]> {
  return db.query<LatestPlanRow>(
    'select distinct on (host) host, revision, digest from host_plan order by host, revision desc',
  )
}

export async function markAnnounced(db: Queries, revision: number, hosts: readonly string[], now: Date): Promise<void> {
  await db.query(
    'update host_plan set announced_at = $3 where revision = $1 and host = any($2::text[]) and announced_at is null',
    [revision, hosts, now],
  )
}

export async function markFetched(db: Queries, host: string, revision: number, now: Date): Promise<void> {
  await db.query('update host_plan set fetched_at = $3 where host = $1 and revision = $2 and fetched_at is null', [
    host,
    revision,
    now,
  ])
}

export interface PlanResultRow {
  readonly host: string
  readonly revision: number
  readonly digest: string
  readonly outcome: 'applied' | 'refused' | 'failed'
  readonly reason: string | null
  readonly appliedInMs: number
  readonly now: Date
}

/** An `applied` also says what the host holds now. A result of a plan we did not give is recorded nowhere. */
export async function storePlanResult(db: Queries, result: PlanResultRow): Promise<void> {
  await db.query(
    `update host_plan set result_at = $4, outcome = $5, reason = $6, applied_in_ms = $7
     where host = $1 and revision = $2 and digest = $3 and outcome is distinct from 'applied'`,
    [result.host, result.revision, result.digest, result.now, result.outcome, result.reason, result.appliedInMs],
  )
  if (result.outcome !== 'applied') return
  await db.query('update host set held_revision = $2, held_digest = $3 where name = $1', [
    result.host,
    result.revision,
    result.digest,
  ])
}

/** A host that connects with the planned digest in force: its answer was lost, or it kept the same content through a newer revision. */
export async function markHeld(db: Queries, host: string, digest: string, now: Date): Promise<void> {
  await db.query(
    `update host_plan set outcome = 'applied', result_at = $3
     where host = $1 and digest = $2 and outcome is null and revision = (select max(revision) from host_plan where host = $1)`,
    [host, digest, now],
  )
}

export interface HostPublicationRow {
  readonly host: string
  /** null = this revision left the host's plan as it was. */
  readonly revision: number | null
  readonly digest: string | null
  readonly announced_at: Date | null
  readonly fetched_at: Date | null
  readonly result_at: Date | null
  readonly outcome: 'applied' | 'refused' | 'failed' | null
  readonly reason: string | null
  readonly applied_in_ms: number | null
  /** Digest of the plan that counted for the host at this revision. */
  readonly standing_digest: string | null
  readonly standing_outcome: 'applied' | 'refused' | 'failed' | null
  readonly later_applied: boolean
}

/** Every enrolled host, with what became of this revision there. */
export async function readHostPublications(db: Queries, revision: number): Promise<readonly HostPublicationRow[]> {
  return db.query<HostPublicationRow>(
    `select h.name as host, p.revision, p.digest, p.announced_at, p.fetched_at, p.result_at, p.outcome, p.reason, p.applied_in_ms,
       s.digest as standing_digest, s.outcome as standing_outcome,
       exists (select 1 from host_plan l where l.host = h.name and l.revision > $1 and l.outcome = 'applied') as later_applied
     from host h
     left join host_plan p on p.host = h.name and p.revision = $1
     left join lateral (select digest, outcome from host_plan where host = h.name and revision <= $1 order by revision desc limit 1) s on true
     where h.enrolled_at is not null order by h.name`,
    [revision],
  )
}
