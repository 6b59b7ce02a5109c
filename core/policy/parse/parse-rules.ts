/** A policy's rules → Rule. A rule with anything wrong in it is reported and left out; the document is then refused as a whole. */
import type { Direction, GroupName, Rule, RuleAction, RuleTier, SourcePlace } from '@hyperward/model'
import { toRuleRef } from '@hyperward/model'

import type { DocumentReader, Field, Fields, NamedField } from '../document/document-reader.ts'
import { logFields, ruleActions, ruleDirections, ruleFields } from '../language/fields.ts'
import { readMoment } from './parse-date.ts'
import { parseSide } from './parse-side.ts'
import { type PolicyScope, resolveNamed } from './policy-scope.ts'
import { readInteger } from './read-integer.ts'
import { parseServiceField } from './service-names.ts'
import { readUniqueName } from './unique-names.ts'

const logRateLimit = 1_000_000

export function parseRules(scope: PolicyScope, field: Field, tier: RuleTier, policy: string): readonly Rule[] {
  const seen = new Map<string, SourcePlace>()
  const rules: Rule[] = []
  for (const item of scope.reader.list(field) ?? []) {
    const rule = parseRule(scope, item, tier, policy, seen)
    if (rule !== null) rules.push(rule)
  }
  return rules
}

function parseRule(
  scope: PolicyScope,
  field: Field,
  tier: RuleTier,
  policy: string,
  seen: Map<string, SourcePlace>,
): Rule | null {
  const { reader, tenant } = scope
  const fields = reader.record(field, ruleFields)
  if (fields === null) return null
  const before = reader.report.diagnostics.length
  const name = readUniqueName(reader, fields, field, 'rule', 'name', seen)
  const source = parseSide(scope, reader.required(fields, field, 'from', 'from: any'))
  const destination = parseSide(scope, reader.required(fields, field, 'to', 'to: any'))
  const appliedTo = parseSide(scope, fields.get('applied-to') ?? null)
  const service = parseServiceField(scope, fields.get('service'))
  const directions = parseDirection(reader, fields.get('direction'))
  const action = parseAction(reader, reader.required(fields, field, 'action', 'action: allow'), ruleActions)
  const profile = parseProfile(scope, fields, field, action)
  const log = parseLog(reader, fields.get('log'))
  const monitorField = fields.get('monitor')
  const monitor = monitorField === undefined ? false : reader.truth(monitorField)
  const optional = parseOptional(scope, fields)
  if (name === null || source === null || destination === null || service === null) return null
  if (directions === null || action === null || log === null || monitor === null) return null
  if (reader.report.diagnostics.length > before) return null
  return {
    ref: toRuleRef(tier, tenant, policy, name),
    tier,
    tenant,
    policy,
    name,
    source,
    destination,
    service,
    directions,
    action,
    monitor,
    ...log,
    ...(appliedTo === null || (appliedTo.kind === 'any' && appliedTo.except.length === 0) ? {} : { appliedTo }),
    ...(profile === null ? {} : { profile }),
    ...optional,
    place: field.place,
  }
}

/** What most rules do not have. */
function parseOptional(
  scope: PolicyScope,
  fields: Fields,
): Pick<Rule, 'description' | 'schedule' | 'expires' | 'labels'> {
  const { reader, schedules } = scope
  const found: { -readonly [K in 'description' | 'schedule' | 'expires' | 'labels']?: NonNullable<Rule[K]> } = {}
  const descriptionField = fields.get('description')
  const description = descriptionField === undefined ? null : reader.text(descriptionField)
  if (description !== null) found.description = description
  const scheduleField = fields.get('schedule')
  const scheduleName = scheduleField === undefined ? null : resolveNamed(scope, scheduleField, 'schedule', schedules)
  const schedule = scheduleName === null ? null : (schedules.get(scheduleName) ?? null)
  if (schedule !== null) found.schedule = schedule
  const expires = readMoment(reader, fields.get('expires'))
  if (expires !== null) found.expires = expires
  const labelsField = fields.get('labels')
  if (labelsField !== undefined) found.labels = parseLabels(reader, labelsField)
  return found
}

function parseLabels(reader: DocumentReader, field: Field): Readonly<Record<string, string>> {
  const labels: [string, string][] = []
  for (const [key, value] of reader.dictionary(field) ?? []) {
    const text = reader.text(value)
    if (text !== null) labels.push([key, text])
  }
  // entries, not assignment: a label may be called __proto__
  return Object.fromEntries(labels)
}

function parseProfile(scope: PolicyScope, fields: Fields, record: Field, action: RuleAction | null): GroupName | null {
  const { reader, profiles } = scope
  const field =
    action === 'inspect' ? reader.required(fields, record, 'profile', 'profile: NAME') : fields.get('profile')
  if (field === null || field === undefined) return null
  if (action !== 'inspect' && action !== null) {
    reader.report.add('rule.profile-without-inspect', field.path, field.keyPlace, { action })
    return null
  }
  return resolveNamed(scope, field, 'profile', profiles)
}

/** `true`, `false`, or `{rate: N}`. */
function parseLog(reader: DocumentReader, field: NamedField | undefined): Pick<Rule, 'log' | 'logRate'> | null {
  if (field === undefined) return { log: false }
  if (!reader.isRecord(field)) {
    const log = reader.truth(field)
    return log === null ? null : { log }
  }
  const fields = reader.record(field, logFields)
  const rateField = fields === null ? null : reader.required(fields, field, 'rate', 'rate: 10')
  const logRate = rateField === null ? null : readInteger(reader, rateField, 1, logRateLimit)
  return logRate === null ? null : { log: true, logRate }
}

function parseDirection(reader: DocumentReader, field: NamedField | undefined): readonly Direction[] | null {
  if (field === undefined) return ['egress', 'ingress']
  const text = reader.text(field)
  if (text === null) return null
  if (text === 'both') return ['egress', 'ingress']
  if (text === 'egress' || text === 'ingress') return [text]
  const hint = reader.nearest(text, ruleDirections)
  reader.report.add('rule.direction-unknown', field.path, field.place, { text, nearest: hint })
  return null
}

export function parseAction<A extends RuleAction>(
  reader: DocumentReader,
  field: NamedField | null,
  known: readonly A[],
): A | null {
  const text = field === null ? null : reader.text(field)
  if (field === null || text === null) return null
  const action = known.find((one) => one === text)
  if (action !== undefined) return action
  const params = { text, known: known.join(', '), nearest: reader.nearest(text, known) }
  reader.report.add('rule.action-unknown', field.path, field.place, params)
  return null
}
