/** The policies of one tier (and tenant), out of one or several files → rules in their order. The order is never a guess: a tie or a gap is an error. */
import type { Rule, RuleTier, SourcePlace } from '@hyperward/model'

import type { DocumentReader, Field, NamedField } from '../document/document-reader.ts'
import { policyFields } from '../language/fields.ts'
import { parseRules } from './parse-rules.ts'
import type { PolicyScope } from './policy-scope.ts'
import { readInteger } from './read-integer.ts'
import { readUniqueName } from './unique-names.ts'

export const orderLimit = 1_000_000_000

interface OrderedPolicy {
  readonly name: string
  readonly order: number | null
  readonly field: Field
  readonly orderField: NamedField | undefined
  readonly rules: readonly Rule[]
}

export function parsePolicies(
  scope: PolicyScope,
  tier: RuleTier,
  fields: readonly NamedField[] | undefined,
): readonly Rule[] {
  const { reader } = scope
  const seen = new Map<string, SourcePlace>()
  const policies: OrderedPolicy[] = []
  for (const item of (fields ?? []).flatMap((field) => reader.list(field) ?? [])) {
    const entry = reader.record(item, policyFields)
    if (entry === null) continue
    const name = readUniqueName(reader, entry, item, 'policy', 'policy', seen) ?? 'unnamed'
    const orderField = entry.get('order')
    const order = orderField === undefined ? null : readInteger(reader, orderField, -orderLimit, orderLimit)
    const description = entry.get('description')
    if (description !== undefined) reader.text(description)
    const list = reader.required(entry, item, 'rules', 'rules: [...]')
    const rules = list === null ? [] : parseRules(scope, list, tier, name)
    policies.push({ name, order, field: item, orderField, rules })
  }
  return sortPolicies(reader, policies).flatMap((policy) => policy.rules)
}

function sortPolicies(reader: DocumentReader, policies: readonly OrderedPolicy[]): readonly OrderedPolicy[] {
  const files = new Set(policies.map(({ field }) => field.place.file))
  const ordered = policies.some(({ orderField }) => orderField !== undefined)
  if (!ordered && files.size < 2) return policies
  const byOrder = new Map<number, string>()
  for (const { name, order, field, orderField } of policies) {
    if (orderField === undefined) reader.report.add('policy.order-missing', field.path, field.place, { policy: name })
    if (orderField === undefined || order === null) continue
    const other = byOrder.get(order)
    if (other === undefined) byOrder.set(order, name)
    else reader.report.add('policy.order-tie', orderField.path, orderField.place, { policy: name, other, order })
  }
  return policies.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0))
}
