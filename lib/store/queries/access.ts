/** Administrators' tokens, hosts, enrolment. */
import type { Queries } from '../store.ts'

export interface AdminTokenRow {
  readonly name: string
  readonly hash: string
}

export async function readAdminTokens(db: Queries): Promise<readonly AdminTokenRow[]> {
  return db.query<AdminTokenRow>('select name, hash from admin_token order by name')
}

export async function addAdminToken(db: Queries, name: string, hash: string, now: Date): Promise<void> {
  await db.query('insert into admin_token (name, hash, created_at) values ($1, $2, $3)', [name, hash, now])
}

/** The host is made if it is new; an enrolled one keeps its place and may enrol again with this token. */
export async function addEnrolmentToken(
  db: Queries,
  token: { readonly host: string; readonly hash: string; readonly now: Date; readonly expiresAt: Date },
): Promise<void> {
  await db.query('insert into host (name, created_at) values ($1, $2) on conflict (name) do nothing', [
    token.host,
    token.now,
  ])
  await db.query('insert into enrolment_token (hash, host, created_at, expires_at) values ($1, $2, $3, $4)', [
    token.hash,
    token.host,
    token.now,
    token.expiresAt,
  ])
}

/** Uses the token up and tells its host; null when it is unknown, expired or used. One statement: of two that come at once, one wins. */
export async function useEnrolmentToken(db: Queries, hash: string, now: Date): Promise<string | null> {
  const rows = await db.query<{ host: string }>(
    'update enrolment_token set used_at = $2 where hash = $1 and used_at is null and expires_at > $2 returning host',
    [hash, now],
  )
  return rows[0]?.host ?? null
}

export interface CertificateRow {
  /** Lower-case hex. */
  readonly serial: string
  readonly endsAt: Date
}

/** A fresh enrolment starts the numbering of reports anew, and ends every earlier certificate of this name. */
export async function markEnrolled(db: Queries, host: string, now: Date, certificate: CertificateRow): Promise<void> {
  await db.query(
    `update host set enrolled_at = $2, certificate_ends_at = $3, certificate_serials = array[$4],
       stream = null, last_seq = 0
     where name = $1`,
    [host, now, certificate.endsAt, certificate.serial],
  )
}

/** What counted before counts until the renewed one is used: an answer that is lost locks nobody out. False when `serial` does not count any more. */
export async function markRenewed(
  db: Queries,
  host: string,
  serial: string,
  renewed: CertificateRow,
): Promise<boolean> {
  // renewed over and over without use: the latest sixteen count
  const rows = await db.query(
    `update host set certificate_ends_at = $3,
       certificate_serials = (certificate_serials || $4::text)[greatest(1, cardinality(certificate_serials) - 14):]
     where name = $1 and $2 = any(certificate_serials) returning 1`,
    [host, serial, renewed.endsAt, renewed.serial],
  )
  return rows.length > 0
}

/** True for a certificate of the host's latest enrolment or a renewal of it; its use ends those before it. */
export async function takeCertificate(db: Queries, host: string, serial: string): Promise<boolean> {
  const rows = await db.query(
    `update host set certificate_serials = certificate_serials[array_position(certificate_serials, $2):]
     where name = $1 and enrolled_at is not null and $2 = any(certificate_serials) returning 1`,
    [host, serial],
  )
  return rows.length > 0
}

/** False when there is no such host. Its VMs, plans and tokens go with it; flows, events and counters stay. */
export async function removeHost(db: Queries, host: string): Promise<boolean> {
  return (await db.query('delete from host where name = $1 returning name', [host])).length > 0
}

export async function isEnrolled(db: Queries, host: string): Promise<boolean> {
  return (await db.query('select 1 from host where name = $1 and enrolled_at is not null', [host])).length > 0
}

export async function readEnrolledHosts(db: Queries): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>('select name from host where enrolled_at is not null order by name')
  return rows.map((row) => row.name)
}

export interface HostRow {
  readonly name: string
  readonly created_at: Date
  readonly enrolled_at: Date | null
  readonly last_seen_at: Date | null
  readonly software: string | null
  readonly kernel: string | null
  readonly driver: string | null
  readonly certificate_ends_at: Date | null
  readonly planned_revision: number | null
  readonly planned_digest: string | null
  readonly held_revision: number | null
  readonly held_digest: string | null
  readonly drift: number
  readonly rss_bytes: number | null
  readonly enforced: number
  readonly closed: number
}

export async function readHosts(db: Queries): Promise<readonly HostRow[]> {
  return db.query<HostRow>(`
    select h.name, h.created_at, h.enrolled_at, h.last_seen_at, h.software, h.kernel, h.driver, h.certificate_ends_at,
           p.revision as planned_revision, p.digest as planned_digest, h.held_revision, h.held_digest, h.drift, h.rss_bytes,
           (select count(*) from endpoint_status s where s.host = h.name and s.state = 'enforced') as enforced,
           (select count(*) from endpoint_status s where s.host = h.name and s.state = 'closed') as closed
    from host h
    left join lateral (select revision, digest from host_plan where host = h.name order by revision desc limit 1) p on true
    order by h.name`)
}

export interface HelloRow {
  readonly host: string
  readonly software: string
  readonly kernel: string
  readonly heldRevision: number
  readonly heldDigest: string | null
  readonly stream: string | null
  readonly now: Date
}

/** Records who connected; returns the number of the last report stored of this stream. */
export async function storeHello(db: Queries, hello: HelloRow): Promise<number> {
  const rows = await db.query<{ last_seq: number }>(
    `update host set software = $2, kernel = $3, held_revision = $4, held_digest = $5, last_seen_at = $6,
       last_seq = case when stream is not null and stream = $7 then last_seq else 0 end, stream = $7
     where name = $1 returning last_seq`,
    [hello.host, hello.software, hello.kernel, hello.heldRevision, hello.heldDigest, hello.now, hello.stream],
  )
  return rows[0]?.last_seq ?? 0
}

/** Takes the report's number; false when a report of this number was stored before. Call it in the transaction that stores the report. */
export async function takeSeq(db: Queries, host: string, seq: number, now: Date): Promise<boolean> {
  const rows = await db.query(
    'update host set last_seq = $2, last_seen_at = $3 where name = $1 and last_seq < $2 returning 1',
    [host, seq, now],
  )
  return rows.length > 0
}
