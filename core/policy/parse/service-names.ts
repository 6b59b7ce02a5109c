/** Services by name: the owners' own, those of the starter catalogue, and groups of both. */
import type { GroupName, Service, ServiceEntry, TenantName } from '@hyperward/model'
import { toGroupName } from '@hyperward/model'

import type { DocumentReader, Field } from '../document/document-reader.ts'
import { commonServices } from '../language/common-services.ts'
import type { Declared } from './declared-names.ts'
import { lookupName, visibleNames } from './name-scope.ts'
import { parseService, type WrittenService } from './parse-service.ts'
import type { PolicyScope } from './policy-scope.ts'
import { reportCycles } from './report-cycles.ts'
import type { ServiceUnions } from './service-unions.ts'
import { toService } from './to-service.ts'

/** Names written in a document, and in the same map the catalogue's as `common/NAME`. */
export function parseServices(
  reader: DocumentReader,
  declared: readonly Declared[],
  unions: ServiceUnions,
): ReadonlyMap<GroupName, Service | null> {
  const services = new Map<GroupName, Service | null>(commonServiceNames())
  const written = new Map(declared.map(({ name, field }) => [name, parseService(reader, field)]))
  for (const name of written.keys()) services.set(name, null)
  const members = new Map<GroupName, readonly GroupName[]>()
  for (const { name, tenant } of declared) {
    const names = written.get(name)?.names ?? []
    if (names.length === 0) continue
    const found = names.map((field) => resolveServiceRef({ reader, tenant, services }, field))
    if (found.includes(null)) written.set(name, null)
    members.set(
      name,
      found.filter((one) => one !== null),
    )
  }
  let cyclic = false
  reportCycles(declared, members, ({ field }, cycle) => {
    cyclic = true
    reader.report.add('service.cycle', field.path, field.keyPlace, { service: field.key, cycle })
  })
  if (cyclic) return services
  const finished = new Set<GroupName>()
  for (const { name } of declared) unite(name, { written, members, services, unions, finished })
  return services
}

interface Uniting {
  readonly written: ReadonlyMap<GroupName, WrittenService | null>
  readonly members: ReadonlyMap<GroupName, readonly GroupName[]>
  readonly services: Map<GroupName, Service | null>
  readonly unions: ServiceUnions
  readonly finished: Set<GroupName>
}

/** Fills in a service after those it names; they are no cycle. Iterative: a chain may be longer than the call stack. */
function unite(start: GroupName, { written, members, services, unions, finished }: Uniting): void {
  const stack: GroupName[] = [start]
  for (let name = stack.at(-1); name !== undefined; name = stack.at(-1)) {
    const inner = members.get(name) ?? []
    const waiting = finished.has(name) ? [] : inner.filter((one) => written.has(one) && !finished.has(one))
    if (waiting.length > 0) {
      for (const one of waiting) stack.push(one)
      continue
    }
    stack.pop()
    const own = written.get(name)
    if (finished.has(name)) continue
    finished.add(name)
    const parts = inner.map((one) => services.get(one) ?? null)
    if (own !== undefined && own !== null) services.set(name, unions.unite(own.entries, parts))
  }
}

/** A service that a rule names or writes in place; absent = any. */
export function parseServiceField(scope: PolicyScope, field: Field | undefined): Service | null {
  const { reader, services } = scope
  if (field === undefined) return { kind: 'any' }
  if (reader.isText(field)) {
    if (reader.text(field) === 'any') return { kind: 'any' }
    const name = resolveServiceRef(scope, field)
    return name === null ? null : (services.get(name) ?? null)
  }
  if (reader.isList(field)) {
    const items = reader.list(field) ?? []
    if (items.length === 0) reader.report.add('rule.empty-side', field.path, field.place, { field: 'service' })
    return items.length === 0 ? null : uniteRefs(scope, [], items)
  }
  if (!reader.isRecord(field)) return reader.wrongType(field, 'service-or-names')
  const written = parseService(reader, field)
  return written === null ? null : uniteRefs(scope, written.entries, written.names)
}

/** Null when a name is unknown or stands for what is wrong itself. */
function uniteRefs(scope: PolicyScope, entries: readonly ServiceEntry[], refs: readonly Field[]): Service | null {
  const names = refs.map((ref) => resolveServiceRef(scope, ref))
  const parts = names.map((name) => (name === null ? null : (scope.services.get(name) ?? null)))
  return entries.length === 0 ? scope.unions.uniteNamed([...new Set(names)], parts) : scope.unions.unite(entries, parts)
}

/** One's own before the catalogue's: a document keeps its meaning when the catalogue grows. */
function resolveServiceRef(
  { reader, tenant, services }: Pick<PolicyScope, 'reader' | 'tenant' | 'services'>,
  field: Field,
): GroupName | null {
  const text = reader.text(field)
  if (text === null) return null
  if (text === 'any') {
    reader.report.add('rule.any-in-list', field.path, field.place, {})
    return null
  }
  const common = toCommonName(text.startsWith('common/') ? text.slice('common/'.length) : text)
  if (text.startsWith('common/') && services.has(common)) return common
  const found = lookupName(text, tenant, services)
  switch (found.kind) {
    case 'found':
      reader.mentioned.add(`service ${found.name}`)
      return found.name
    case 'foreign':
      if (text.startsWith('common/')) break
      reader.report.add('service.foreign', field.path, field.place, { tenant: tenant ?? '', service: text })
      return null
    case 'unknown':
      if (!text.includes('/') && services.has(common)) return common
  }
  const bare = text.replace(/^common\//, '')
  const hint = reader.nearest(text, visibleNames(tenant, services)) || reader.nearest(bare, Object.keys(commonServices))
  reader.report.add('service.unknown', field.path, field.place, { service: text, nearest: hint })
  return null
}

function* commonServiceNames(): Iterable<readonly [GroupName, Service]> {
  for (const [name, text] of Object.entries(commonServices)) yield [toCommonName(name), toService(text)]
}

/** `common` can be no tenant's name. */
function toCommonName(name: string): GroupName {
  return toGroupName('common' as TenantName, name)
}
