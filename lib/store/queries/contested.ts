/** Who keeps what several claim. Normally nothing. */
import type { Queries } from '../store.ts'

export interface HolderRow {
  readonly claim: string
  readonly holder: string
}

export async function readHolders(db: Queries): Promise<readonly HolderRow[]> {
  return db.query<HolderRow>('select claim, holder from contested_holder order by claim')
}

export async function replaceHolders(db: Queries, rows: readonly HolderRow[]): Promise<void> {
  await db.query('delete from contested_holder where not (claim = any($1::text[]))', [rows.map((row) => row.claim)])
  await db.query(
    `insert into contested_holder (claim, holder)
     select claim, holder from jsonb_to_recordset($1::jsonb) as r(claim text, holder text)
     on conflict (claim) do update set holder = excluded.holder where contested_holder.holder <> excluded.holder`,
    [JSON.stringify(rows)],
  )
}

/** A host that is silent loses its claim to a VM that another host has; it may claim it anew, behind the other. */
export async function dropClaim(db: Queries, host: string, uuid: string): Promise<void> {
  await db.query('delete from vm where host = $1 and uuid = $2', [host, uuid])
}
