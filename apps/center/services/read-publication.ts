import type { ApiHostPublication, ApiPublication } from '@hyperward/protocol'
import { readHostPublications, type HostPublicationRow, type PublicationRow, type Store } from '@hyperward/store'

import type { AgentRegistry } from '../channel/agent-registry.ts'

/** What became of a revision at each enrolled host. */
export async function readPublication(
  row: PublicationRow,
  dependencies: { readonly store: Store; readonly registry: AgentRegistry },
): Promise<ApiPublication> {
  const connected = dependencies.registry.connected()
  const rows = await readHostPublications(dependencies.store, row.revision)
  const hosts = rows.filter((host) => host.standing_digest !== null)
  return {
    revision: row.revision,
    cause: row.cause,
    at: row.published_at.toISOString(),
    by: row.published_by,
    policyDigest: row.policy_digest,
    inForce: hosts.every(isInForce),
    hosts: hosts.map((host) => toApi(host, row.published_at, connected.has(host.host))),
  }
}

/** The plan that counted at this revision (its own, or the one it left as it was) was applied, or a later one was. */
function isInForce(row: HostPublicationRow): boolean {
  return row.later_applied || row.standing_outcome === 'applied'
}

function toApi(row: HostPublicationRow, publishedAt: Date, connected: boolean): ApiHostPublication {
  const { state, at } = toState(row)
  return {
    host: row.host,
    digest: row.digest ?? row.standing_digest ?? '',
    state,
    reason: row.reason,
    connected,
    sincePublishMs: at === null ? null : at.getTime() - publishedAt.getTime(),
    appliedInMs: row.applied_in_ms,
  }
}

function toState(row: HostPublicationRow): { readonly state: ApiHostPublication['state']; readonly at: Date | null } {
  if (row.revision === null) return { state: 'unchanged', at: null }
  if (row.outcome !== null) return { state: row.outcome, at: row.result_at }
  if (row.later_applied) return { state: 'superseded', at: null }
  if (row.fetched_at !== null) return { state: 'fetched', at: row.fetched_at }
  if (row.announced_at !== null) return { state: 'announced', at: row.announced_at }
  return { state: 'waiting', at: null }
}
