/** The `groups` of the provider or of one tenant: read first with the names they refer to, linked when all names are known. */
import { type GroupName, isPrefix, parsePrefix, type Prefix, type TenantName, toGroupName } from '@hyperward/model'

import type { DocumentReader, Field, NamedField } from '../document/document-reader.ts'
import { readName } from '../document/document-reader.ts'
import { prefixRemedy } from './prefix-remedy.ts'

/** A reference to a group as written, not yet looked up. */
export interface WrittenName {
  readonly text: string
  readonly field: Field
}

export type WrittenSelector =
  | {
      readonly kind: 'labels'
      readonly labels: Readonly<Record<string, readonly string[]>>
      readonly tenants: readonly WrittenName[] | null
    }
  | { readonly kind: 'networks'; readonly networks: readonly Prefix[] }
  | { readonly kind: 'groups'; readonly groups: readonly WrittenName[] }

export interface WrittenGroup {
  readonly name: GroupName
  readonly tenant: TenantName | null
  readonly selector: WrittenSelector
  readonly field: NamedField
  /** Where each label key stands, for warnings that need the inventory. */
  readonly labelFields: ReadonlyMap<string, NamedField>
}

/** A group whose selector is wrong keeps its name (so that uses of it are not reported too) and has no selector. */
export function parseGroups(
  reader: DocumentReader,
  field: Field,
  tenant: TenantName | null,
  names: Set<GroupName>,
): readonly WrittenGroup[] {
  const groups: WrittenGroup[] = []
  for (const [key, groupField] of reader.dictionary(field) ?? []) {
    const name = readName(reader.report, key, 'group', groupField.path, groupField.keyPlace)
    if (name === null) continue
    const qualified = toGroupName(tenant, name)
    names.add(qualified)
    const parsed = parseSelector(reader, groupField, tenant)
    if (parsed !== null) groups.push({ name: qualified, tenant, field: groupField, ...parsed })
  }
  return groups
}

const selectorKinds = ['labels', 'networks', 'groups', 'tenants'] as const

function parseSelector(
  reader: DocumentReader,
  field: NamedField,
  tenant: TenantName | null,
): Pick<WrittenGroup, 'selector' | 'labelFields'> | null {
  const known = tenant === null ? selectorKinds : selectorKinds.filter((kind) => kind !== 'tenants')
  const before = reader.report.diagnostics.length
  const fields = reader.record(field, known)
  if (fields === null) return null
  const endpointKind = fields.get('labels') ?? fields.get('tenants')
  const present = [endpointKind, fields.get('networks'), fields.get('groups')].filter((one) => one !== undefined)
  const [first, second] = present
  if (first === undefined) {
    // a misspelt selector has been told already
    const told = reader.report.diagnostics.length > before
    if (!told) reader.report.add('group.empty-selector', field.path, field.place, { group: field.key })
    return null
  }
  if (second !== undefined) {
    const params = { group: field.key, first: first.key, second: second.key }
    reader.report.add('group.mixed-selector', second.path, second.keyPlace, params)
    return null
  }
  const labelFields = new Map<string, NamedField>()
  if (first.key === 'networks') return withNone({ kind: 'networks', networks: parseNetworks(reader, first, field.key) })
  if (first.key === 'groups') return withNone({ kind: 'groups', groups: parseNames(reader, first, field.key) })
  const labels = fields.get('labels')
  const tenants = fields.get('tenants')
  const selector: WrittenSelector = {
    kind: 'labels',
    labels: labels === undefined ? {} : parseLabels(reader, labels, field.key, labelFields),
    tenants: tenants === undefined ? null : parseNames(reader, tenants, field.key),
  }
  return { selector, labelFields }
}

function withNone(selector: WrittenSelector): Pick<WrittenGroup, 'selector' | 'labelFields'> {
  return { selector, labelFields: new Map() }
}

function parseLabels(
  reader: DocumentReader,
  field: Field,
  group: string,
  labelFields: Map<string, NamedField>,
): Readonly<Record<string, readonly string[]>> {
  const labels: [string, readonly string[]][] = []
  const fields = reader.dictionary(field)
  if (fields?.size === 0) reader.report.add('group.empty-selector', field.path, field.place, { group })
  for (const [key, value] of fields ?? []) {
    labelFields.set(key, value)
    const items = reader.isList(value) ? (reader.list(value) ?? []) : [value]
    if (items.length === 0) reader.report.add('group.empty-selector', value.path, value.place, { group })
    const texts = items.map((item) => reader.text(item)).filter((text) => text !== null)
    labels.push([key, [...new Set(texts)].sort()])
  }
  // entries, not assignment: a label may be called __proto__
  return Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function parseNetworks(reader: DocumentReader, field: Field, group: string): readonly Prefix[] {
  const items = reader.isText(field) ? [field] : (reader.list(field) ?? [])
  if (items.length === 0) reader.report.add('group.empty-selector', field.path, field.place, { group })
  const networks = new Set<Prefix>()
  for (const item of items) {
    const text = reader.text(item)
    if (text === null) continue
    const prefix = parsePrefix(text)
    if (isPrefix(prefix)) networks.add(prefix)
    else if (prefix === 'host-bits') {
      reader.report.add('address.host-bits', item.path, item.place, { text, remedy: prefixRemedy(text) })
    } else {
      const params = { text, expected: 'prefix', example: '203.0.113.0/24, 2001:db8::/32' } as const
      reader.report.add('address.malformed', item.path, item.place, params)
    }
  }
  return [...networks].sort()
}

function parseNames(reader: DocumentReader, field: Field, group: string): readonly WrittenName[] {
  const items = reader.isText(field) ? [field] : (reader.list(field) ?? [])
  if (items.length === 0) reader.report.add('group.empty-selector', field.path, field.place, { group })
  const names: WrittenName[] = []
  for (const item of items) {
    const text = reader.text(item)
    if (text === null) continue
    if (names.some((name) => name.text === text))
      reader.report.add('group.duplicate', item.path, item.place, { group: text })
    else names.push({ text, field: item })
  }
  return names
}
