/** The rules section of hosts with the same tenants, and verdict rows with its indexes. Hosts with the same tenants share one table. */
import {
  type Digest,
  defaultDropRef,
  type PlannedRule,
  type PlannedZone,
  type TenantName,
  type Verdict,
} from '@hyperward/model'

import { compareText } from '../resolve/compare-text.ts'
import type { PolicyIndex } from '../resolve/policy-index.ts'
import { digestSection, type Sha256 } from './plan-digest.ts'
import type { VerdictBlock } from './verdict-block.ts'

export interface RuleTable {
  readonly key: string
  readonly rules: readonly PlannedRule[]
  readonly zones: readonly PlannedZone[]
  readonly rulesDigest: Digest
  readonly zonesDigest: Digest
  /** Index in {@link rules} by the rule's ordinal in the policy. */
  readonly indexOf: ReadonlyMap<number, number>
}

const defaultDrop: PlannedRule = {
  ref: defaultDropRef,
  tier: 'builtin',
  tenant: null,
  policy: 'default',
  name: 'drop',
  action: 'drop',
  log: true,
}

export function ruleTableKey(tenants: readonly TenantName[], zones: ReadonlyMap<TenantName, number>): string {
  return tenants.map((tenant) => `${tenant}=${zones.get(tenant) ?? 0}`).join(',')
}

/** A host gets the provider's rules and those of the tenants it has endpoints of: others' rules are none of its business. */
export function buildRuleTable(
  index: PolicyIndex,
  tenants: readonly TenantName[],
  zones: ReadonlyMap<TenantName, number>,
  sha256: Sha256,
): RuleTable {
  const here = new Set(tenants)
  const wanted =
    tenants.length === 0 ? [] : index.rules.filter(({ rule }) => rule.tenant === null || here.has(rule.tenant))
  const sorted = [...wanted].sort((a, b) => compareText(a.rule.ref, b.rule.ref))
  const rules = sorted.map(({ rule }): PlannedRule => {
    const { ref, tier, tenant, policy, name, action, log } = rule
    return { ref, tier, tenant, policy, name, action, log }
  })
  const listed = [defaultDrop, ...rules]
  const listedZones = tenants.map((tenant) => ({ tenant, zone: zones.get(tenant) ?? 0 }))
  return {
    key: ruleTableKey(tenants, zones),
    rules: listed,
    zones: listedZones,
    rulesDigest: digestSection(listed, sha256),
    zonesDigest: digestSection(listedZones, sha256),
    indexOf: new Map(sorted.map(({ ordinal }, at) => [ordinal, at + 1])),
  }
}

export function toVerdicts(block: VerdictBlock, table: RuleTable): readonly Verdict[] {
  const { direction, local } = block
  return block.rows.map((row) => {
    const rule = table.indexOf.get(row.rule.ordinal)
    if (rule === undefined) throw new Error(`a verdict of a rule that is not in the host's table: ${row.rule.rule.ref}`)
    return { direction, local, peer: row.peer, class: row.class, action: row.rule.rule.action, rule }
  })
}
