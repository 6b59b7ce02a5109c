import type { TermKey } from '@hyperward/catalogue'
import type { SourcePlace } from '@hyperward/model'

import { type DocumentReader, type Field, type Fields, readName } from '../document/document-reader.ts'
import { reportDuplicate } from './declared-names.ts'

/** The name of a record, as its field `key` gives it; a second one of the same name is reported with the place of the first. */
export function readUniqueName(
  reader: DocumentReader,
  fields: Fields,
  record: Field,
  thing: TermKey,
  key: 'policy' | 'name',
  seen: Map<string, SourcePlace>,
): string | null {
  const field = reader.required(fields, record, key, `${key}: NAME`)
  const text = field === null ? null : reader.text(field)
  if (field === null || text === null) return null
  const name = readName(reader.report, text, thing, field.path, field.place)
  if (name === null) return null
  const first = seen.get(name)
  if (first === undefined) seen.set(name, field.place)
  else reportDuplicate(reader, field, thing, name, first)
  return name
}
