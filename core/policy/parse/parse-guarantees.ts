/** The `guarantees` of one owner: each one statement over all packets. */
import type { Guarantee, SourcePlace } from '@hyperward/model'
import { toGroupName } from '@hyperward/model'

import type { NamedField } from '../document/document-reader.ts'
import { guaranteeFields, statementFields, throughFields } from '../language/fields.ts'
import { parseSide } from './parse-side.ts'
import { type PolicyScope, resolveNamed } from './policy-scope.ts'
import { parseServiceField } from './service-names.ts'
import { readUniqueName } from './unique-names.ts'

const kinds = ['never', 'always', 'only-through'] as const

export function parseGuarantees(scope: PolicyScope, fields: readonly NamedField[] | undefined): readonly Guarantee[] {
  const { reader, tenant, profiles } = scope
  const seen = new Map<string, SourcePlace>()
  const guarantees: Guarantee[] = []
  for (const item of (fields ?? []).flatMap((field) => reader.list(field) ?? [])) {
    const before = reader.report.diagnostics.length
    const entry = reader.record(item, guaranteeFields)
    if (entry === null) continue
    const name = readUniqueName(reader, entry, item, 'guarantee', 'name', seen)
    const descriptionField = entry.get('description')
    const description = descriptionField === undefined ? null : reader.text(descriptionField)
    const [kind, second] = kinds.filter((one) => entry.has(one))
    const statement = kind === undefined ? undefined : entry.get(kind)
    if (kind === undefined || statement === undefined || second !== undefined) {
      if (second !== undefined || reader.report.diagnostics.length === before)
        reader.report.add('guarantee.one-statement', item.path, item.place, { guarantee: name ?? '?' })
      continue
    }
    const parts = reader.record(statement, kind === 'only-through' ? throughFields : statementFields)
    if (parts === null) continue
    const source = parseSide(scope, reader.required(parts, statement, 'from', 'from: any'))
    const destination = parseSide(scope, reader.required(parts, statement, 'to', 'to: any'))
    const service = parseServiceField(scope, parts.get('service'))
    const profileField = parts.get('profile')
    const profile = profileField === undefined ? null : resolveNamed(scope, profileField, 'profile', profiles)
    if (name === null || source === null || destination === null || service === null) continue
    guarantees.push({
      name: toGroupName(tenant, name),
      tenant,
      ...(description === null ? {} : { description }),
      kind,
      source,
      destination,
      service,
      ...(profile === null ? {} : { profile }),
      path: item.path,
      place: item.place,
    })
  }
  return guarantees
}
