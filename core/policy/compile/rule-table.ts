/** The rules and zones of hosts with the same tenants. A host gets the provider's rules and those of its tenants: others' rules are none of its business. */
import { defaultDropRef, type PlannedRule, type PlannedZone, type TenantName } from '@hyperward/model'

import { compareText } from '../resolve/compare-text.ts'
import type { IndexedRule, PolicyIndex } from '../resolve/policy-index.ts'
import {
  type PlanSection,
  type SectionChunk,
  type Sha256,
  toChunk,
  toSection,
  toWholeSection,
} from './plan-sections.ts'

export interface RuleTable {
  readonly rules: readonly PlannedRule[]
  readonly rulesSection: PlanSection<PlannedRule>
  readonly zones: readonly PlannedZone[]
  readonly zonesSection: PlanSection<PlannedZone>
}

/** Chunks of rules by owner; depends on the policy alone. */
export interface RuleChunks {
  /** The default drop and the provider's. */
  readonly provider: SectionChunk<PlannedRule>
  /** The default drop alone, for a host with nothing to enforce. */
  readonly bare: SectionChunk<PlannedRule>
  readonly ofTenant: (tenant: TenantName) => SectionChunk<PlannedRule> | null
}

const defaultDrop: PlannedRule = {
  number: 0,
  ref: defaultDropRef,
  tier: 'builtin',
  tenant: null,
  policy: 'default',
  name: 'drop',
  action: 'drop',
  log: true,
}

export function createRuleChunks(index: PolicyIndex, sha256: Sha256): RuleChunks {
  const byTenant = new Map<TenantName | null, PlannedRule[]>()
  for (const rule of index.rules) {
    const planned = toPlannedRule(rule)
    if (planned === null) continue
    if (byTenant.get(planned.tenant)?.push(planned) === undefined) byTenant.set(planned.tenant, [planned])
  }
  for (const rules of byTenant.values()) rules.sort((a, b) => compareText(a.ref, b.ref))
  const known = new Map<TenantName, SectionChunk<PlannedRule> | null>()
  const bare = toChunk([defaultDrop], sha256)
  const providers = byTenant.get(null)
  return {
    provider: providers === undefined ? bare : toChunk([defaultDrop, ...providers], sha256),
    bare,
    ofTenant: (tenant) => {
      const already = known.get(tenant)
      if (already !== undefined) return already
      const rules = byTenant.get(tenant)
      const chunk = rules === undefined ? null : toChunk(rules, sha256)
      known.set(tenant, chunk)
      return chunk
    },
  }
}

/** Null for `pass`: it decides nothing, so no verdict names it. */
function toPlannedRule({ rule, number }: IndexedRule): PlannedRule | null {
  const { ref, tier, tenant, policy, name, action, log, logRate, monitor, profile } = rule
  if (action === 'pass') return null
  return {
    number,
    ref,
    tier,
    tenant,
    policy,
    name,
    action,
    log,
    ...(logRate === undefined ? {} : { logRate }),
    ...(monitor ? { monitor } : {}),
    ...(profile === undefined ? {} : { profile: profile.replace(/^\//, '') }),
  }
}

export function ruleTableKey(tenants: readonly TenantName[], zones: ReadonlyMap<TenantName, number>): string {
  return tenants.map((tenant) => `${tenant}=${zones.get(tenant) ?? 0}`).join(',')
}

export function buildRuleTable(
  chunks: RuleChunks,
  tenants: readonly TenantName[],
  zones: ReadonlyMap<TenantName, number>,
  sha256: Sha256,
): RuleTable {
  // in the order of refs, which end a tenant's name with a slash
  const ordered = [...tenants].sort((a, b) => compareText(`${a}/`, `${b}/`))
  const owned = ordered.map((tenant) => chunks.ofTenant(tenant)).filter((chunk) => chunk !== null)
  const used = tenants.length === 0 ? [chunks.bare] : [chunks.provider, ...owned]
  const listed = tenants.map((tenant) => ({ tenant, zone: zones.get(tenant) ?? 0 }))
  return {
    rules: used.flatMap((chunk) => chunk.items),
    rulesSection: toSection(used, sha256),
    zones: listed,
    zonesSection: toWholeSection(listed, sha256),
  }
}
