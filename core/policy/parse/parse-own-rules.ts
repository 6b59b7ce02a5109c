/** Rules that are not written as rules: exclusions, and a tenant's default. */
import type { Rule, SourcePlace } from '@hyperward/model'
import { toRuleRef } from '@hyperward/model'

import type { NamedField } from '../document/document-reader.ts'
import { defaultActions, exclusionFields } from '../language/fields.ts'
import { readMoment } from './parse-date.ts'
import { parseAction } from './parse-rules.ts'
import { parseSide } from './parse-side.ts'
import type { PolicyScope } from './policy-scope.ts'
import { readUniqueName } from './unique-names.ts'

/** No user's policy can have such a name. */
const exclusionsPolicy = '(exclusions)'
const defaultPolicy = '(default)'

const everything = {
  source: { kind: 'any', except: [] },
  destination: { kind: 'any', except: [] },
  service: { kind: 'any' },
  directions: ['egress', 'ingress'],
  log: false,
  monitor: false,
} as const satisfies Partial<Rule>

/** All four fields are required: an exclusion is a hole, and says whose, why and until when. */
export function parseExclusions(scope: PolicyScope, fields: readonly NamedField[] | undefined): readonly Rule[] {
  const { reader, tenant } = scope
  const tier = tenant === null ? 'platform' : 'tenant'
  const seen = new Map<string, SourcePlace>()
  const rules: Rule[] = []
  for (const item of (fields ?? []).flatMap((field) => reader.list(field) ?? [])) {
    const entry = reader.record(item, exclusionFields)
    if (entry === null) continue
    const name = readUniqueName(reader, entry, item, 'exclusion', 'name', seen)
    const members = parseSide(scope, reader.required(entry, item, 'members', 'members: GROUP'))
    const reasonField = reader.required(entry, item, 'reason', 'reason: WHY')
    const reason = reasonField === null ? null : reader.text(reasonField)
    const expires = readMoment(reader, reader.required(entry, item, 'expires', 'expires: 2026-12-31'))
    if (name === null || members === null || reason === null || expires === null) continue
    rules.push({
      ref: toRuleRef(tier, tenant, exclusionsPolicy, name),
      tier,
      tenant,
      policy: exclusionsPolicy,
      name,
      ...everything,
      description: reason,
      ...(members.kind === 'any' && members.except.length === 0 ? {} : { appliedTo: members }),
      action: 'allow',
      expires,
      origin: 'exclusion',
      place: item.place,
    })
  }
  return rules
}

/** What a tenant does with the rest; nothing, when it passes that on (as when it says nothing). */
export function parseDefault(
  { reader, tenant }: PolicyScope,
  fields: readonly NamedField[] | undefined,
): readonly Rule[] {
  const [field, second] = fields ?? []
  if (field === undefined) return []
  if (second !== undefined) {
    const { line, file } = field.place
    reader.report.add('field.duplicate', second.path, second.keyPlace, { field: second.key, line, file })
  }
  const action = parseAction(reader, field, defaultActions)
  if (action === null || action === 'pass') return []
  const ref = toRuleRef('tenant', tenant, defaultPolicy, action)
  const { place } = field
  return [
    {
      ref,
      tier: 'tenant',
      tenant,
      policy: defaultPolicy,
      name: action,
      ...everything,
      action,
      origin: 'default',
      place,
    },
  ]
}
