/** Selectors of endpoints, of a group or in place: criteria that must all hold. */
import type { Criterion, Selector, TenantName, TextCriterion } from '@hyperward/model'

import type { DocumentReader, Field, Fields } from '../document/document-reader.ts'
import { criterionFields, expressionFields } from '../language/fields.ts'
import type { PolicyScope } from './policy-scope.ts'
import { compareCriteria } from './selector-text.ts'

/** Longer than any name that a pattern could match. */
const patternMaxLength = 256

const textCriteria = { names: 'name', os: 'os', hosts: 'host', segments: 'segment' } as const satisfies Record<
  string,
  TextCriterion
>

/** Where the parts of a selector stand, for warnings that need the inventory. */
export interface SelectorPlaces {
  readonly labels: Map<string, Field>
  readonly texts: Map<TextCriterion, Field>
}

type SelectorScope = Pick<PolicyScope, 'reader' | 'tenant' | 'tenants'>

/** `fields` holds at least one field of an endpoint selector. Wrong parts are reported and left out. */
export function parseEndpoints(
  scope: SelectorScope,
  fields: Fields,
  group: string,
  places: SelectorPlaces,
): Extract<Selector, { kind: 'endpoints' }> {
  const { reader, tenant } = scope
  let criteria = parseCriteria(reader, fields, group, false, places)
  const not = fields.get('not')
  if (not !== undefined) {
    const before = reader.report.diagnostics.length
    const negated = reader.record(not, criterionFields)
    if (negated?.size === 0 && reader.report.diagnostics.length === before)
      reader.report.add('group.empty-selector', not.path, not.place, { group })
    if (negated !== null) criteria = [...criteria, ...parseCriteria(reader, negated, group, true, places)]
  }
  const tenantsField = fields.get('tenants')
  const tenants = tenantsField === undefined ? null : parseTenants(scope, tenantsField, group)
  const distinct = criteria
    .sort(compareCriteria)
    .filter((one, index) => index === 0 || compareCriteria(criteria[index - 1] ?? one, one) !== 0)
  return { kind: 'endpoints', tenants: tenant === null ? tenants : [tenant], criteria: distinct }
}

function parseCriteria(
  reader: DocumentReader,
  fields: Fields,
  group: string,
  negated: boolean,
  places: SelectorPlaces,
): Criterion[] {
  const criteria: Criterion[] = []
  const labels = fields.get('labels')
  if (labels !== undefined) {
    const entries = reader.dictionary(labels)
    if (entries?.size === 0) reader.report.add('group.empty-selector', labels.path, labels.place, { group })
    for (const [key, field] of entries ?? []) {
      places.labels.set(key, { ...field, place: field.keyPlace })
      criteria.push({ kind: 'label', key, values: parseTexts(reader, field, group), negated })
    }
  }
  const expressions = fields.get('expressions')
  if (expressions !== undefined) {
    const items = reader.list(expressions)
    if (items?.length === 0) reader.report.add('group.empty-selector', expressions.path, expressions.place, { group })
    for (const item of items ?? []) {
      const criterion = parseExpression(reader, item, group, negated, places)
      if (criterion !== null) criteria.push(criterion)
    }
  }
  for (const key of ['names', 'os', 'hosts', 'segments'] as const) {
    const field = fields.get(key)
    if (field === undefined) continue
    places.texts.set(textCriteria[key], field)
    criteria.push({ kind: textCriteria[key], patterns: parsePatterns(reader, field, group), negated })
  }
  return criteria
}

/** `{label: tier, notin: [db]}`; under `not` it means its reverse. */
function parseExpression(
  reader: DocumentReader,
  item: Field,
  group: string,
  negated: boolean,
  places: SelectorPlaces,
): Criterion | null {
  const before = reader.report.diagnostics.length
  const fields = reader.record(item, expressionFields)
  if (fields === null) return null
  const keyField = reader.required(fields, item, 'label', 'label: KEY')
  const key = keyField === null ? null : reader.text(keyField)
  if (keyField === null || key === null) return null
  places.labels.set(key, keyField)
  const operators = (['in', 'notin', 'exists'] as const)
    .map((name) => fields.get(name))
    .filter((one) => one !== undefined)
  const [operator, second] = operators
  if (operator === undefined || second !== undefined) {
    if (second !== undefined || reader.report.diagnostics.length === before)
      reader.report.add('selector.expression', item.path, item.place, { label: key })
    return null
  }
  if (operator.key === 'exists') {
    const exists = reader.truth(operator)
    return exists === null ? null : { kind: 'label-exists', key, negated: exists === negated }
  }
  const values = parseTexts(reader, operator, group)
  return { kind: 'label', key, values, negated: (operator.key === 'notin') !== negated }
}

function parseTexts(reader: DocumentReader, field: Field, group: string): readonly string[] {
  const items = reader.listOrOne(field)
  if (items.length === 0 && reader.isList(field))
    reader.report.add('group.empty-selector', field.path, field.place, { group })
  return [...new Set(items.map((item) => reader.text(item)).filter((text) => text !== null))].sort()
}

function parsePatterns(reader: DocumentReader, field: Field, group: string): readonly string[] {
  const patterns = parseTexts(reader, field, group)
  for (const { length } of patterns) {
    if (length > patternMaxLength)
      reader.report.add('pattern.too-long', field.path, field.place, { length, limit: patternMaxLength })
  }
  return patterns
}

/** The tenants a provider's selector sees; a tenant's cannot have the field. */
function parseTenants({ reader, tenants }: SelectorScope, field: Field, group: string): readonly TenantName[] {
  const known: ReadonlyMap<string, TenantName> = new Map([...tenants].map((tenant) => [tenant, tenant]))
  const items = reader.listOrOne(field)
  if (items.length === 0 && reader.isList(field))
    reader.report.add('group.empty-selector', field.path, field.place, { group })
  const found = new Set<TenantName>()
  for (const item of items) {
    const text = reader.text(item)
    if (text === null) continue
    const tenant = known.get(text)
    if (tenant !== undefined) found.add(tenant)
    else
      reader.report.add('tenant.unknown', item.path, item.place, {
        tenant: text,
        nearest: reader.nearest(text, known.keys()),
      })
  }
  return [...found].sort()
}
