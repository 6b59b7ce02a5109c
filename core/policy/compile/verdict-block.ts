import type { Digest, Direction, Identity } from '@hyperward/model'

import type { IdentityClass } from '../resolve/resolved-policy.ts'
import { digestBlock, type Sha256 } from './plan-digest.ts'
import { type LocalRules, verdictRows, type VerdictRow } from './verdict-rows.ts'

/** All rows of one (direction, local identity): what hosts share, and what one digest covers. */
export interface VerdictBlock {
  readonly direction: Direction
  readonly local: Identity
  readonly rows: readonly VerdictRow[]
  readonly digest: Digest
}

export function buildVerdictBlock(
  local: IdentityClass,
  rules: LocalRules,
  peersBySide: ReadonlyMap<number, readonly IdentityClass[]>,
  sha256: Sha256,
): VerdictBlock {
  const rows = verdictRows(rules, peersBySide)
  const { direction } = rules
  const told = rows.map((row) => ({
    peer: row.peer,
    class: row.class,
    action: row.rule.rule.action,
    ref: row.rule.rule.ref,
  }))
  return { direction, local: local.identity, rows, digest: digestBlock(direction, local.identity, told, sha256) }
}
