/** A policy document (docs/policy-language.md) → Policy, or every diagnostic that forbids one. */
import type { GroupName, Parsed, Policy, Rule, Service, TenantName } from '@hyperward/model'
import { parseTenantName, toGroupName } from '@hyperward/model'

import { composeDocument } from '../document/compose-document.ts'
import {
  createDocumentReader,
  type DocumentReader,
  type Field,
  type NamedField,
  readName,
} from '../document/document-reader.ts'
import { createReport, sortDiagnostics } from '../document/report.ts'
import { linkGroups } from './link-groups.ts'
import { parseGroups, type WrittenGroup } from './parse-groups.ts'
import { parsePolicies } from './parse-rules.ts'
import { parseService } from './parse-service.ts'
import { documentVersion, readEnvelope } from './read-envelope.ts'

/** Most port ranges that services may name in all: keeps the service classes inside their 16 bits (two boundaries a range, and one class a protocol). */
export const serviceRangeLimit = 30_000

interface Owner {
  readonly tenant: TenantName | null
  readonly groups: NamedField | undefined
  readonly services: NamedField | undefined
}

/** `file` is the name shown in diagnostics; nothing is opened. */
export function parsePolicy(text: string, file: string): Parsed<Policy> {
  const report = createReport()
  const composed = composeDocument(text, file, documentVersion, report)
  if (composed === null) return { ok: false, diagnostics: sortDiagnostics(report.diagnostics) }
  const reader = createDocumentReader(composed.root, composed.placeAt, report)
  const policy = readPolicy(reader)
  const diagnostics = sortDiagnostics(report.diagnostics)
  return policy === null || !report.usable()
    ? { ok: false, diagnostics }
    : { ok: true, value: policy, warnings: diagnostics }
}

function readPolicy(reader: DocumentReader): Policy | null {
  const fields = readEnvelope(reader, 'Policy', ['provider', 'tenants'])
  if (fields === null) return null
  const providerField = fields.get('provider')
  const provider =
    providerField === undefined ? null : reader.record(providerField, ['groups', 'services', 'platform', 'baseline'])
  const owners: Owner[] = [{ tenant: null, groups: provider?.get('groups'), services: provider?.get('services') }]
  const tenants: { readonly name: TenantName; readonly policies: Field | undefined }[] = []
  const tenantsField = fields.get('tenants')
  for (const [key, field] of (tenantsField === undefined ? null : reader.dictionary(tenantsField)) ?? []) {
    const text = readName(reader.report, key, 'tenant', field.path, field.keyPlace)
    const name = text === null ? null : parseTenantName(text)
    const record = reader.record(field, ['groups', 'services', 'policies'])
    if (name === null || record === null) continue
    owners.push({ tenant: name, groups: record.get('groups'), services: record.get('services') })
    tenants.push({ name, policies: record.get('policies') })
  }

  const groupNames = new Set<GroupName>()
  const written: WrittenGroup[] = []
  for (const { tenant, groups } of owners) {
    if (groups !== undefined) written.push(...parseGroups(reader, groups, tenant, groupNames))
  }
  const services = new Map<GroupName, Service | null>()
  for (const owner of owners) readServices(reader, owner, services)
  const tenantNames = tenants.map((tenant) => tenant.name).sort()
  const groups = linkGroups(reader, written, groupNames, new Set(tenantNames))

  const scope = { reader, groups: groupNames, services }
  const rules: Rule[] = []
  const platform = provider?.get('platform')
  const baseline = provider?.get('baseline')
  if (platform !== undefined) rules.push(...parsePolicies({ ...scope, tier: 'platform', tenant: null }, platform))
  for (const { name, policies } of tenants) {
    if (policies !== undefined) rules.push(...parsePolicies({ ...scope, tier: 'tenant', tenant: name }, policies))
  }
  if (baseline !== undefined) rules.push(...parsePolicies({ ...scope, tier: 'baseline', tenant: null }, baseline))
  checkServiceRanges(reader, rules)
  return { tenants: tenantNames, groups, rules }
}

function readServices(reader: DocumentReader, owner: Owner, services: Map<GroupName, Service | null>): void {
  if (owner.services === undefined) return
  for (const [key, field] of reader.dictionary(owner.services) ?? []) {
    const name = readName(reader.report, key, 'service', field.path, field.keyPlace)
    if (name !== null) services.set(toGroupName(owner.tenant, name), parseService(reader, field))
  }
}

function checkServiceRanges(reader: DocumentReader, rules: readonly Rule[]): void {
  const distinct = new Set<string>()
  for (const { service } of rules) {
    if (service.kind === 'any') continue
    for (const { protocol, ranges } of service.entries)
      for (const { from, to } of ranges) distinct.add(`${protocol}:${from}-${to}`)
  }
  const { root, report } = reader
  if (distinct.size > serviceRangeLimit)
    report.add('service.too-many', '', root.place, { count: distinct.size, limit: serviceRangeLimit })
}
