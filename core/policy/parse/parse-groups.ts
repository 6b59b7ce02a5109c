/** The `groups` of all owners → Group. A group is one kind of selector; one whose selector is wrong is reported and left out. */
import type { Group, GroupName, GroupPlaces, Selector } from '@hyperward/model'

import type { Field, NamedField } from '../document/document-reader.ts'
import { endpointSelectorFields, groupFields } from '../language/fields.ts'
import type { Declared } from './declared-names.ts'
import { parseNetworkSelector } from './parse-networks.ts'
import { parseEndpoints, type SelectorPlaces } from './parse-selector.ts'
import { type PolicyScope, resolveGroupRef } from './policy-scope.ts'
import { reportCycles } from './report-cycles.ts'

export type GroupScope = Pick<PolicyScope, 'reader' | 'tenant' | 'tenants' | 'groups'>

const tenantGroupFields = groupFields.filter((field) => field !== 'tenants')
const tenantEndpointFields = endpointSelectorFields.filter((field) => field !== 'tenants')

export function parseGroups(scope: Omit<GroupScope, 'tenant'>, declared: readonly Declared[]): readonly Group[] {
  const groups: Group[] = []
  for (const { name, tenant, field } of declared) {
    const places: SelectorPlaces = { labels: new Map(), texts: new Map() }
    const selector = parseSelector({ ...scope, tenant }, field, places)
    if (selector !== null)
      groups.push({ name, tenant, selector, written: toGroupPlaces(field, field.keyPlace, places) })
  }
  reportGroupCycles(scope, declared, groups)
  return groups.sort((a, b) => (a.name < b.name ? -1 : 1))
}

export function toGroupPlaces({ path }: Field, place: Field['place'], { labels, texts }: SelectorPlaces): GroupPlaces {
  const toPlaces = (fields: ReadonlyMap<string, Field>) =>
    // entries, not assignment: a label may be called __proto__
    Object.fromEntries([...fields].map(([key, field]) => [key, { path: field.path, place: field.place }]))
  const written = { path, place, labels: toPlaces(labels) }
  return texts.size === 0 ? written : { ...written, texts: toPlaces(texts) }
}

function parseSelector(scope: GroupScope, field: NamedField, places: SelectorPlaces): Selector | null {
  const { reader, tenant } = scope
  const before = reader.report.diagnostics.length
  const fields = reader.record(field, tenant === null ? groupFields : tenantGroupFields)
  if (fields === null) return null
  const endpointFields = tenant === null ? endpointSelectorFields : tenantEndpointFields
  const endpoints = endpointFields.map((key) => fields.get(key)).find((one) => one !== undefined)
  const networks = fields.get('networks')
  const groups = fields.get('groups')
  const except = fields.get('except')
  const [first, second] = [endpoints, networks, groups].filter((one) => one !== undefined)
  if (first === undefined) {
    // a misspelt selector has been told already
    const told = reader.report.diagnostics.length > before
    if (except !== undefined) reader.report.add('group.except-alone', except.path, except.keyPlace, {})
    else if (!told) reader.report.add('group.empty-selector', field.path, field.place, { group: field.key })
    return null
  }
  if (second !== undefined) {
    const params = { group: field.key, first: first.key, second: second.key }
    reader.report.add('group.mixed-selector', second.path, second.keyPlace, params)
    return null
  }
  if (networks !== undefined) return parseNetworkSelector(reader, networks, except, field.key)
  if (groups !== undefined) {
    return {
      kind: 'groups',
      groups: parseNames(scope, groups, field.key),
      except: except === undefined ? [] : parseNames(scope, except, field.key),
    }
  }
  if (except !== undefined) reader.report.add('group.except-alone', except.path, except.keyPlace, {})
  return parseEndpoints(scope, fields, field.key, places)
}

function parseNames(scope: GroupScope, field: Field, group: string): readonly GroupName[] {
  const { reader } = scope
  const items = reader.listOrOne(field)
  if (items.length === 0 && reader.isList(field))
    reader.report.add('group.empty-selector', field.path, field.place, { group })
  const names = new Set<GroupName>()
  for (const item of items) {
    const text = reader.text(item)
    const name = text === null ? null : resolveGroupRef(scope, item, text)
    if (name === null) continue
    if (names.has(name)) reader.report.add('group.duplicate', item.path, item.place, { group: text ?? '' })
    else names.add(name)
  }
  return [...names].sort()
}

/** A group taken out of itself is a cycle too: its members would depend on its members. */
function reportGroupCycles(
  { reader }: Pick<GroupScope, 'reader'>,
  declared: readonly Declared[],
  groups: readonly Group[],
): void {
  const members = new Map(
    groups.map(({ name, selector }) => [
      name,
      selector.kind === 'groups' ? [...selector.groups, ...selector.except] : [],
    ]),
  )
  reportCycles(declared, members, ({ field }, cycle) => {
    reader.report.add('group.cycle', field.path, field.keyPlace, { group: field.key, cycle })
  })
}
