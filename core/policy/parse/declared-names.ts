/** The names that dictionaries of groups, services, schedules and profiles declare: each once for its owner, over all files. */
import type { TermKey } from '@hyperward/catalogue'
import { type GroupName, type TenantName, toGroupName } from '@hyperward/model'

import { type DocumentReader, type Field, type NamedField, readName } from '../document/document-reader.ts'
import type { Owner, OwnerSection } from './read-owners.ts'

export interface Declared {
  readonly name: GroupName
  readonly tenant: TenantName | null
  readonly field: NamedField
}

/** Something wrong inside keeps its name, so that uses of it are not reported too. */
export function declareNames(
  reader: DocumentReader,
  owners: readonly Owner[],
  section: OwnerSection & ('groups' | 'services' | 'schedules' | 'profiles'),
  thing: TermKey,
): readonly Declared[] {
  const declared = new Map<GroupName, Declared>()
  for (const { tenant, sections } of owners) {
    for (const dictionary of sections[section] ?? []) {
      for (const [key, field] of reader.dictionary(dictionary) ?? []) {
        const name = readName(reader.report, key, thing, field.path, field.keyPlace)
        if (name === null) continue
        const qualified = toGroupName(tenant, name)
        const first = declared.get(qualified)
        if (first !== undefined)
          reportDuplicate(reader, { ...field, place: field.keyPlace }, thing, name, first.field.keyPlace)
        else declared.set(qualified, { name: qualified, tenant, field })
      }
    }
  }
  return [...declared.values()]
}

/** Tells the file of the first only when it is another one. */
export function reportDuplicate(
  reader: DocumentReader,
  second: Field,
  thing: TermKey,
  name: string,
  first: Field['place'],
): void {
  const file = first.file === second.place.file ? '' : first.file
  reader.report.add('name.duplicate', second.path, second.place, { thing, name, line: first.line, file })
}
