/** `from`, `to`, `applied-to`, `members` → RuleSide: names, prefixes and selectors in place, some taken out. */
import { type Group, type GroupName, type RuleSide, type Selector, toGroupName } from '@hyperward/model'

import type { Field, NamedField } from '../document/document-reader.ts'
import { endpointSelectorFields, inlineSelectorFields, sideFields } from '../language/fields.ts'
import { toGroupPlaces } from './parse-groups.ts'
import { looksLikeNetwork, parseNetwork, parseNetworkSelector } from './parse-networks.ts'
import { parseEndpoints, type SelectorPlaces } from './parse-selector.ts'
import { type PolicyScope, resolveGroupRef } from './policy-scope.ts'
import { selectorText } from './selector-text.ts'

const tenantInlineFields = inlineSelectorFields.filter((field) => field !== 'tenants')
const everything: RuleSide = { kind: 'any', except: [] }

/** Null after a report. Absent is never everything: `any` must be written. */
export function parseSide(scope: PolicyScope, field: NamedField | null): RuleSide | null {
  if (field === null) return null
  return scope.reader.isRecord(field) ? parseLongSide(scope, field) : parseMembers(scope, field, field.key)
}

/** `{any-of: …, not: …}`, or a selector in place: `not` over criteria means there what it means in a group. */
function parseLongSide(scope: PolicyScope, field: NamedField): RuleSide | null {
  const { reader } = scope
  const all = reader.dictionary(field)
  if (all === null) return null
  const isSide = [...all].every(([key, value]) => key === 'not' && !reader.isRecord(value))
  if (!isSide && !all.has('any-of')) return parseSelectorInPlace(scope, field)
  const fields = reader.checkKnown(all, sideFields)
  const anyOf = fields.get('any-of')
  const not = fields.get('not')
  if (anyOf === undefined && not === undefined) {
    reader.report.add('rule.empty-side', field.path, field.place, { field: field.key })
    return null
  }
  const members = anyOf === undefined ? everything : parseMembers(scope, anyOf, field.key)
  const removed = not === undefined ? null : parseMembers(scope, not, field.key)
  if (members === null || fields.size < all.size) return null
  if (not === undefined) return members
  if (removed === null) return null
  if (removed.kind === 'any' || leavesNothing(members, removed.groups)) {
    reader.report.add('rule.nothing-left', not.path, not.place, { field: field.key })
    return null
  }
  return { ...members, except: removed.groups }
}

function leavesNothing(members: RuleSide, removed: readonly GroupName[]): boolean {
  return members.kind === 'groups' && members.groups.every((name) => removed.includes(name))
}

/** `any`, or one or several groups and prefixes. */
function parseMembers(scope: PolicyScope, field: Field, key: string): RuleSide | null {
  const { reader } = scope
  if (reader.isText(field) && reader.text(field) === 'any') return everything
  if (!reader.isText(field) && !reader.isList(field)) return reader.wrongType(field, 'group-or-prefix')
  const items = reader.listOrOne(field)
  if (items.length === 0) reader.report.add('rule.empty-side', field.path, field.place, { field: key })
  const names = new Set<GroupName>()
  let complete = items.length > 0
  for (const item of items) {
    const name = parseMember(scope, item)
    if (name === null) complete = false
    else if (names.has(name)) {
      const group = reader.text(item) ?? ''
      reader.report.add('group.duplicate', item.path, item.place, { group })
    } else names.add(name)
  }
  return complete ? { kind: 'groups', groups: [...names].sort(), except: [] } : null
}

function parseMember(scope: PolicyScope, field: Field): GroupName | null {
  const { reader } = scope
  const text = reader.text(field)
  if (text === null) return null
  if (text === 'any') {
    reader.report.add('rule.any-in-list', field.path, field.place, {})
    return null
  }
  if (!looksLikeNetwork(text)) return resolveGroupRef(scope, field, text)
  const network = parseNetwork(reader, field, text)
  return network === null
    ? null
    : addInline(scope, field, { kind: 'networks', networks: [network], except: [] }, noPlaces())
}

function parseSelectorInPlace(scope: PolicyScope, field: NamedField): RuleSide | null {
  const { reader, tenant, inline } = scope
  const before = reader.report.diagnostics.length
  // any-of is known for the sake of "Did you mean": a record that has it does not come here
  const known = tenant === null ? inlineSelectorFields : tenantInlineFields
  const fields = reader.record(field, [...known, 'any-of'])
  if (fields === null) return null
  const networks = fields.get('networks')
  const except = fields.get('except')
  const endpoints = endpointSelectorFields.map((key) => fields.get(key)).find((one) => one !== undefined)
  const places = noPlaces()
  let selector: Exclude<Selector, { kind: 'groups' }> | null = null
  if (networks !== undefined && endpoints !== undefined) {
    const params = { group: field.key, first: networks.key, second: endpoints.key }
    reader.report.add('group.mixed-selector', endpoints.path, endpoints.keyPlace, params)
  } else if (networks !== undefined) selector = parseNetworkSelector(reader, networks, except, field.key)
  else if (except !== undefined) reader.report.add('group.except-alone', except.path, except.keyPlace, {})
  else if (endpoints !== undefined) selector = parseEndpoints(scope, fields, field.key, places)
  else if (reader.report.diagnostics.length === before)
    reader.report.add('group.empty-selector', field.path, field.place, { group: field.key })
  if (selector === null || reader.report.diagnostics.length > before) return null
  return { kind: 'groups', groups: [addInline({ tenant, inline }, field, selector, places)], except: [] }
}

/** What is written twice is one group. */
function addInline(
  { tenant, inline }: Pick<PolicyScope, 'tenant' | 'inline'>,
  field: Field,
  selector: Exclude<Selector, { kind: 'groups' }>,
  places: SelectorPlaces,
): GroupName {
  const name = toGroupName(tenant, selectorText(selector, tenant))
  if (!inline.has(name)) {
    const group: Group = { name, tenant, selector, inline: true, written: toGroupPlaces(field, field.place, places) }
    inline.set(name, group)
  }
  return name
}

function noPlaces(): SelectorPlaces {
  return { labels: new Map(), texts: new Map() }
}
