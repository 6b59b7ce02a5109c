/** Turns written group references into qualified names; refuses unknown ones and groups that contain themselves. */
import { nearest } from '@hyperward/catalogue'
import type { Group, GroupName, GroupPlaces, Selector, TenantName } from '@hyperward/model'

import type { DocumentReader } from '../document/document-reader.ts'
import type { WrittenGroup } from './parse-groups.ts'
import { resolveGroupRef } from './parse-rules.ts'

export function linkGroups(
  reader: DocumentReader,
  written: readonly WrittenGroup[],
  names: ReadonlySet<GroupName>,
  tenants: ReadonlySet<TenantName>,
): readonly Group[] {
  const groups = written.map((group) => ({
    name: group.name,
    tenant: group.tenant,
    selector: linkSelector(reader, group, names, tenants),
    written: toWrittenPlaces(group),
  }))
  reportCycles(reader, written, groups)
  return groups.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function toWrittenPlaces({ field, labelFields }: WrittenGroup): GroupPlaces {
  const labels = [...labelFields].map(([key, label]) => [key, { path: label.path, place: label.keyPlace }] as const)
  return { path: field.path, place: field.keyPlace, labels: Object.fromEntries(labels) }
}

function linkSelector(
  reader: DocumentReader,
  { selector, tenant }: WrittenGroup,
  names: ReadonlySet<GroupName>,
  tenants: ReadonlySet<TenantName>,
): Selector {
  switch (selector.kind) {
    case 'networks':
      return selector
    case 'labels':
      return {
        kind: 'labels',
        labels: selector.labels,
        tenants: linkTenants(reader, selector.tenants, tenant, tenants),
      }
    case 'groups': {
      const groups = selector.groups.map(({ text, field }) => resolveGroupRef(reader, field, text, tenant, names))
      return { kind: 'groups', groups: [...new Set(groups.filter((name) => name !== null))].sort() }
    }
  }
}

/** The tenants a label group sees: a tenant's own only; of the provider's those named, or all. */
function linkTenants(
  reader: DocumentReader,
  written: Extract<WrittenGroup['selector'], { kind: 'labels' }>['tenants'],
  own: TenantName | null,
  tenants: ReadonlySet<TenantName>,
): readonly TenantName[] | null {
  if (own !== null) return [own]
  if (written === null) return null
  const known: ReadonlyMap<string, TenantName> = new Map([...tenants].map((tenant) => [tenant, tenant]))
  const found: TenantName[] = []
  for (const { text, field } of written) {
    const tenant = known.get(text)
    if (tenant !== undefined) found.push(tenant)
    else
      reader.report.add('tenant.unknown', field.path, field.place, {
        tenant: text,
        nearest: nearest(text, known.keys()),
      })
  }
  return found.sort()
}

/** Each cycle is told once, at the group of it that is written first. Iterative: a chain of groups may be longer than the call stack. */
function reportCycles(reader: DocumentReader, written: readonly WrittenGroup[], groups: readonly Group[]): void {
  const members = new Map(groups.map(({ name, selector }) => [name, selector.kind === 'groups' ? selector.groups : []]))
  const finished = new Set<GroupName>()
  for (const { name, field } of written) {
    const path: { readonly name: GroupName; next: number }[] = [{ name, next: 0 }]
    const onPath = new Set<GroupName>([name])
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const member = finished.has(top.name) ? undefined : members.get(top.name)?.[top.next]
      if (member === undefined) {
        finished.add(top.name)
        onPath.delete(top.name)
        path.pop()
        continue
      }
      top.next += 1
      if (onPath.has(member)) {
        const cycle = [...path.slice(path.findIndex((step) => step.name === member)).map((step) => step.name), member]
        const shown = cycle.length > 8 ? [...cycle.slice(0, 7), '…', member] : cycle
        reader.report.add('group.cycle', field.path, field.keyPlace, {
          group: field.key,
          cycle: shown.map(toWritten).join(' → '),
        })
      } else if (!finished.has(member)) {
        path.push({ name: member, next: 0 })
        onPath.add(member)
      }
    }
  }
}

function toWritten(name: string): string {
  return name.startsWith('/') ? `provider${name}` : name
}
