/** Lists of policies with their rules → Rule. A rule with anything wrong in it is reported and left out; the document is then refused as a whole. */
import { nearest } from '@hyperward/catalogue'
import type {
  Action,
  Direction,
  GroupName,
  Rule,
  RuleSide,
  RuleTier,
  Service,
  ServiceEntry,
  TenantName,
} from '@hyperward/model'
import { toRuleRef } from '@hyperward/model'

import type { DocumentReader, Field, Fields, NamedField } from '../document/document-reader.ts'
import { readName } from '../document/document-reader.ts'
import { lookupName } from './name-scope.ts'
import { mergeEntries, parseService } from './parse-service.ts'

/** All that a rule may refer to. */
export interface RuleScope {
  readonly reader: DocumentReader
  readonly tier: RuleTier
  readonly tenant: TenantName | null
  readonly groups: ReadonlySet<GroupName>
  /** Qualified like groups. Null = written, but wrong: reported already. */
  readonly services: ReadonlyMap<GroupName, Service | null>
}

export function parsePolicies(scope: RuleScope, field: Field): readonly Rule[] {
  const { reader } = scope
  const seen = new Map<string, number>()
  const rules: Rule[] = []
  for (const item of reader.list(field) ?? []) {
    const fields = reader.record(item, ['policy', 'rules'])
    if (fields === null) continue
    const name = readUniqueName(scope, fields, item, 'policy', seen)
    const list = reader.required(fields, item, 'rules', 'rules: [...]')
    if (list !== null) rules.push(...parseRules(scope, list, name ?? 'unnamed'))
  }
  return rules
}

const ruleFields = ['name', 'from', 'to', 'service', 'direction', 'action', 'log'] as const

function parseRules(scope: RuleScope, field: Field, policy: string): readonly Rule[] {
  const seen = new Map<string, number>()
  const rules: Rule[] = []
  for (const item of scope.reader.list(field) ?? []) {
    const rule = parseRule(scope, item, policy, seen)
    if (rule !== null) rules.push(rule)
  }
  return rules
}

function parseRule(scope: RuleScope, field: Field, policy: string, seen: Map<string, number>): Rule | null {
  const { reader, tier, tenant } = scope
  const fields = reader.record(field, ruleFields)
  if (fields === null) return null
  const name = readUniqueName(scope, fields, field, 'rule', seen)
  const source = parseSide(scope, reader.required(fields, field, 'from', 'from: any'))
  const destination = parseSide(scope, reader.required(fields, field, 'to', 'to: any'))
  const service = parseServiceField(scope, fields.get('service'))
  const directions = parseDirection(reader, fields.get('direction'))
  const action = parseAction(reader, reader.required(fields, field, 'action', 'action: allow'))
  const logField = fields.get('log')
  const log = logField === undefined ? false : reader.truth(logField)
  if (name === null || source === null || destination === null || service === null) return null
  if (directions === null || action === null || log === null) return null
  const ref = toRuleRef(tier, tenant, policy, name)
  return { ref, tier, tenant, policy, name, source, destination, service, directions, action, log, place: field.place }
}

/** Names a policy or a rule; a second one of the same name is reported with the line of the first. */
function readUniqueName(
  scope: RuleScope,
  fields: Fields,
  record: Field,
  thing: 'policy' | 'rule',
  seen: Map<string, number>,
): string | null {
  const { reader } = scope
  const key = thing === 'policy' ? 'policy' : 'name'
  const field = reader.required(fields, record, key, `${key}: NAME`)
  const text = field === null ? null : reader.text(field)
  if (field === null || text === null) return null
  const name = readName(reader.report, text, thing, field.path, field.place)
  if (name === null) return null
  const first = seen.get(name)
  if (first !== undefined) reader.report.add('name.duplicate', field.path, field.place, { thing, name, line: first })
  else seen.set(name, field.place.line)
  return name
}

/** Absent is never everything: `any` must be written. */
function parseSide(scope: RuleScope, field: NamedField | null): RuleSide | null {
  const { reader, groups, tenant } = scope
  if (field === null) return null
  if (reader.isText(field) && reader.text(field) === 'any') return { kind: 'any' }
  const items = reader.isList(field) ? (reader.list(field) ?? []) : [field]
  if (items.length === 0) reader.report.add('rule.empty-side', field.path, field.place, { field: field.key })
  const names = new Set<GroupName>()
  let complete = items.length > 0
  for (const item of items) {
    const name = parseGroupRef(reader, item, tenant, groups)
    if (name === null) complete = false
    else if (names.has(name)) reader.report.add('group.duplicate', item.path, item.place, { group: name })
    else names.add(name)
  }
  return complete ? { kind: 'groups', groups: [...names].sort() } : null
}

function parseGroupRef(
  reader: DocumentReader,
  field: Field,
  tenant: TenantName | null,
  groups: ReadonlySet<GroupName>,
): GroupName | null {
  const text = reader.text(field)
  if (text === null) return null
  if (text === 'any') {
    reader.report.add('rule.any-in-list', field.path, field.place, {})
    return null
  }
  return resolveGroupRef(reader, field, text, tenant, groups)
}

/** Looks one group up, and reports it when it is not there or not the writer's to name. */
export function resolveGroupRef(
  reader: DocumentReader,
  field: Field,
  text: string,
  tenant: TenantName | null,
  groups: ReadonlySet<GroupName>,
): GroupName | null {
  const found = lookupName(text, tenant, groups)
  switch (found.kind) {
    case 'found':
      return found.name
    case 'foreign':
      reader.report.add('group.foreign', field.path, field.place, { tenant: tenant ?? '', group: text })
      return null
    case 'unknown':
      reader.report.add('group.unknown', field.path, field.place, { group: text, nearest: found.nearest })
      return null
  }
}

/** A name, a list of names, or a service written in place. Absent = any. */
function parseServiceField(scope: RuleScope, field: NamedField | undefined): Service | null {
  const { reader } = scope
  if (field === undefined) return { kind: 'any' }
  if (reader.isText(field)) return reader.text(field) === 'any' ? { kind: 'any' } : parseServiceRef(scope, field)
  if (!reader.isList(field)) return parseService(reader, field)
  const items = reader.list(field) ?? []
  if (items.length === 0) reader.report.add('rule.empty-side', field.path, field.place, { field: field.key })
  const entries: ServiceEntry[] = []
  let complete = items.length > 0
  for (const item of items) {
    const service = parseServiceRef(scope, item)
    if (service === null) complete = false
    else if (service.kind === 'some') entries.push(...service.entries)
  }
  return complete ? { kind: 'some', entries: mergeEntries(entries) } : null
}

function parseServiceRef(scope: RuleScope, field: Field): Service | null {
  const { reader, tenant, services } = scope
  const text = reader.text(field)
  if (text === null) return null
  if (text === 'any') {
    reader.report.add('rule.any-in-list', field.path, field.place, {})
    return null
  }
  const found = lookupName(text, tenant, services)
  switch (found.kind) {
    case 'found':
      return services.get(found.name) ?? null
    case 'foreign':
      reader.report.add('service.foreign', field.path, field.place, { tenant: tenant ?? '', service: text })
      return null
    case 'unknown':
      reader.report.add('service.unknown', field.path, field.place, { service: text, nearest: found.nearest })
      return null
  }
}

function parseDirection(reader: DocumentReader, field: NamedField | undefined): readonly Direction[] | null {
  if (field === undefined) return ['egress', 'ingress']
  const text = reader.text(field)
  if (text === null) return null
  if (text === 'both') return ['egress', 'ingress']
  if (text === 'egress' || text === 'ingress') return [text]
  const hint = nearest(text, ['ingress', 'egress', 'both'])
  reader.report.add('rule.direction-unknown', field.path, field.place, { text, nearest: hint })
  return null
}

function parseAction(reader: DocumentReader, field: NamedField | null): Action | null {
  const text = field === null ? null : reader.text(field)
  if (field === null || text === null) return null
  if (text === 'allow' || text === 'drop' || text === 'reject') return text
  reader.report.add('rule.action-unknown', field.path, field.place, {
    text,
    nearest: nearest(text, ['allow', 'drop', 'reject']),
  })
  return null
}
