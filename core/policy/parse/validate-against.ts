/** What a policy says that one inventory makes doubtful: warnings, since VMs come and go and a policy may be written before them. */
import { nearest } from '@hyperward/catalogue'
import type { Diagnostic, Group, Inventory, Policy, TenantName } from '@hyperward/model'

import { createReport, sortDiagnostics } from '../document/report.ts'

export function validateAgainst(policy: Policy, inventory: Inventory): readonly Diagnostic[] {
  const report = createReport()
  const keysByTenant = new Map<TenantName, Set<string>>()
  for (const { tenant, labels } of inventory.vms) {
    if (tenant === null) continue
    const keys = keysByTenant.get(tenant) ?? new Set<string>()
    for (const key of Object.keys(labels)) keys.add(key)
    keysByTenant.set(tenant, keys)
  }
  for (const group of policy.groups) {
    if (group.selector.kind !== 'labels') continue
    const seen = visibleKeys(group.selector, keysByTenant)
    for (const label of Object.keys(group.selector.labels)) {
      if (seen.has(label)) continue
      const at = group.written?.labels[label]
      const params = { label, group: group.name.replace(/^\//, 'provider/'), nearest: nearest(label, seen) }
      report.add('label.unknown-key', at?.path ?? group.name, at?.place ?? group.written?.place, params, 'warning')
    }
  }
  const tenants = new Set<TenantName>(policy.tenants)
  for (const tenant of [...keysByTenant.keys()].sort()) {
    if (tenants.has(tenant)) continue
    report.add('tenant.unknown', 'tenants', undefined, { tenant, nearest: nearest(tenant, tenants) }, 'warning')
  }
  return sortDiagnostics(report.diagnostics)
}

function visibleKeys(
  selector: Extract<Group['selector'], { kind: 'labels' }>,
  keysByTenant: ReadonlyMap<TenantName, ReadonlySet<string>>,
): ReadonlySet<string> {
  const tenants = selector.tenants ?? [...keysByTenant.keys()]
  return new Set(tenants.flatMap((tenant) => [...(keysByTenant.get(tenant) ?? [])]))
}
