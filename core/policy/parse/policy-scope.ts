/** What one writer (the provider or a tenant) can refer to. The sets hold every owner's names, qualified; who may name what is `lookupName`'s. */
import type { TermKey } from '@hyperward/catalogue'
import type { Group, GroupName, Schedule, Service, TenantName } from '@hyperward/model'

import type { DocumentReader, Field } from '../document/document-reader.ts'
import { type KnownNames, lookupName, visibleNames } from './name-scope.ts'
import type { ServiceUnions } from './service-unions.ts'

export interface PolicyScope {
  readonly reader: DocumentReader
  readonly tenant: TenantName | null
  readonly tenants: ReadonlySet<TenantName>
  readonly groups: ReadonlySet<GroupName>
  /** Null = written, but wrong: reported already. So in `schedules`. */
  readonly services: ReadonlyMap<GroupName, Service | null>
  readonly unions: ServiceUnions
  readonly schedules: ReadonlyMap<GroupName, Schedule | null>
  readonly profiles: ReadonlySet<GroupName>
  /** Selectors written inside rules, by the name made from their content; filled while rules are read. */
  readonly inline: Map<GroupName, Group>
}

/** Looks one group up, and reports it when it is not there or not the writer's to name. */
export function resolveGroupRef(
  { reader, tenant, groups }: Pick<PolicyScope, 'reader' | 'tenant' | 'groups'>,
  field: Field,
  text: string,
): GroupName | null {
  const found = lookupName(text, tenant, groups)
  switch (found.kind) {
    case 'found':
      return found.name
    case 'foreign':
      reader.report.add('group.foreign', field.path, field.place, { tenant: tenant ?? '', group: text })
      return null
    case 'unknown':
      reader.report.add('group.unknown', field.path, field.place, {
        group: text,
        nearest: reader.nearest(text, visibleNames(tenant, groups)),
      })
      return null
  }
}

/** The qualified name of a schedule or profile, which are looked up like groups. */
export function resolveNamed(
  { reader, tenant }: PolicyScope,
  field: Field,
  thing: TermKey & ('schedule' | 'profile'),
  known: KnownNames,
): GroupName | null {
  const name = reader.text(field)
  if (name === null) return null
  const found = lookupName(name, tenant, known)
  switch (found.kind) {
    case 'found':
      reader.mentioned.add(`${thing} ${found.name}`)
      return found.name
    case 'foreign':
      reader.report.add('name.foreign', field.path, field.place, { tenant: tenant ?? '', thing, name })
      return null
    case 'unknown':
      reader.report.add('name.unknown', field.path, field.place, {
        thing,
        name,
        nearest: reader.nearest(name, visibleNames(tenant, known)),
      })
      return null
  }
}
