/** What a policy says that one inventory makes doubtful: warnings, since VMs come and go and a policy may be written before them. */
import { nearest } from '@hyperward/catalogue'
import type { Criterion, Diagnostic, Group, GroupName, Inventory, Policy, TenantName, Vm } from '@hyperward/model'

import { createReport, type Report, sortDiagnostics } from '../document/report.ts'
import { meets } from '../resolve/endpoint-leaves.ts'
import { globMatches } from '../resolve/glob-matches.ts'
import { groupsOfGuarantees, reportIdleGuarantees } from './idle-guarantees.ts'
import { type SeenValues, seeValues } from './seen-values.ts'

type EndpointSelector = Extract<Group['selector'], { kind: 'endpoints' }>
type TextCriterionOf = Extract<Criterion, { patterns: readonly string[] }>

const termOf = { name: 'vm-name', os: 'os', host: 'host', segment: 'segment' } as const

export function validateAgainst(policy: Policy, inventory: Inventory): readonly Diagnostic[] {
  const report = createReport()
  const values = seeValues(inventory)
  const members = new Map<GroupName, boolean>()
  const vmsOf = groupByTenant(inventory)
  const asked = groupsOfGuarantees(policy)
  for (const group of policy.groups) {
    const { selector } = group
    if (selector.kind !== 'endpoints') continue
    const seen = values(selector.tenants)
    for (const criterion of selector.criteria) checkCriterion(report, group, criterion, seen)
    members.set(group.name, checkBreadth(report, group, selector, vmsOf, asked.has(group.name)))
  }
  reportIdleGuarantees(report, policy, members)
  const tenants = new Set<TenantName>(policy.tenants)
  for (const tenant of [...vmsOf.keys()].sort()) {
    if (tenants.has(tenant)) continue
    report.add('tenant.unknown', 'tenants', undefined, { tenant, nearest: nearest(tenant, tenants) }, 'warning')
  }
  return sortDiagnostics(report.diagnostics)
}

function groupByTenant({ vms }: Inventory): ReadonlyMap<TenantName, readonly Vm[]> {
  const byTenant = new Map<TenantName, Vm[]>()
  for (const vm of vms) {
    if (vm.tenant === null) continue
    const known = byTenant.get(vm.tenant)
    if (known === undefined) byTenant.set(vm.tenant, [vm])
    else known.push(vm)
  }
  return byTenant
}

function checkCriterion(report: Report, group: Group, criterion: Criterion, seen: SeenValues): void {
  switch (criterion.kind) {
    case 'label':
    case 'label-exists': {
      const { key, negated } = criterion
      if (!seen.keys.has(key)) reportLabel(report, group, key, negated, seen)
      return
    }
    case 'name':
    case 'os':
    case 'host':
    case 'segment':
      reportPatterns(report, group, criterion, seen)
  }
}

/** A condition that nobody meets is what `not` often means to say: only what looks misspelt is told there. */
function reportLabel(report: Report, group: Group, label: string, negated: boolean, seen: SeenValues): void {
  const hint = report.full() ? '' : nearest(label, seen.keys)
  if (negated && hint === '') return
  const at = group.written?.labels[label]
  const params = { label, group: toWritten(group.name), nearest: hint }
  report.add('label.unknown-key', at?.path ?? group.name, at?.place ?? group.written?.place, params, 'warning')
}

function reportPatterns(
  report: Report,
  group: Group,
  { kind, patterns, negated }: TextCriterionOf,
  seen: SeenValues,
): void {
  const known = seen.texts[kind]
  // what no agent tells is not known, rather than misspelt
  if (known.size === 0) return
  for (const text of patterns) {
    if (/[*?]/.test(text) ? [...known].some((value) => globMatches(text, value)) : known.has(text)) continue
    const hint = report.full() ? '' : nearest(text, known)
    if (negated && hint === '') continue
    const at = group.written?.texts?.[kind]
    const params = { what: termOf[kind], group: toWritten(group.name), text, nearest: hint }
    report.add('selector.matches-nothing', at?.path ?? group.name, at?.place ?? group.written?.place, params, 'warning')
  }
}

/** Warns of a condition that everybody meets. Tells whether anybody does, if that is asked. */
function checkBreadth(
  report: Report,
  group: Group,
  selector: EndpointSelector,
  vmsOf: ReadonlyMap<TenantName, readonly Vm[]>,
  asked: boolean,
): boolean {
  let count = 0
  let inside = 0
  for (const tenant of selector.tenants ?? vmsOf.keys()) {
    for (const vm of vmsOf.get(tenant) ?? []) {
      for (const { segment } of vm.endpoints) {
        count += 1
        if (selector.criteria.every((criterion) => meets(criterion, vm, segment))) inside += 1
        // one is out, and one is in or nobody asks whether one is: nothing more to learn
        else if (inside > 0 || !asked) return inside > 0
      }
    }
  }
  if (selector.criteria.length > 0 && count > 1 && inside === count) {
    const at = group.written
    const params = { group: toWritten(group.name), count }
    report.add('selector.matches-everything', at?.path ?? group.name, at?.place, params, 'warning')
  }
  return inside > 0
}

function toWritten(name: string): string {
  return name.replace(/^\//, 'provider/')
}
