/** Policy documents (docs/policy-language.md) → Policy, or every diagnostic that forbids one. */
import type { Group, GroupName, Guarantee, Parsed, Policy, Rule, UnusedName } from '@hyperward/model'

import { type PolicyFile, splitBundle } from '../document/bundle.ts'
import {
  type ComposedDocument,
  composeDocument,
  documentMaxChars,
  documentMaxLexemes,
} from '../document/compose-document.ts'
import { createDocumentReader, type DocumentReader, type Field } from '../document/document-reader.ts'
import { createReport, type Report, sortDiagnostics } from '../document/report.ts'
import { profileFields } from '../language/fields.ts'
import { type Declared, declareNames } from './declared-names.ts'
import { parseGroups } from './parse-groups.ts'
import { parseGuarantees } from './parse-guarantees.ts'
import { parseDefault, parseExclusions } from './parse-own-rules.ts'
import { parsePolicies } from './parse-policies.ts'
import { parseSchedules } from './parse-schedules.ts'
import type { PolicyScope } from './policy-scope.ts'
import { documentVersion } from './read-envelope.ts'
import { type Owner, readOwners } from './read-owners.ts'
import { parseServices } from './service-names.ts'
import { createServiceUnions, serviceUnionLimit } from './service-unions.ts'

/** Most port ranges that services may name in all: keeps the service classes inside their 16 bits (two boundaries a range, and one class a protocol). */
export const serviceRangeLimit = 30_000
/** Most files of one policy. */
export const policyFilesLimit = 1000

/** One document, or several that `bundlePolicyFiles` joined. `file` is the name shown in diagnostics; nothing is opened. */
export function parsePolicy(text: string, file: string): Parsed<Policy> {
  return parsePolicyFiles([{ file, text }])
}

/** Documents that make one policy: an owner may write in several. The order of the files means nothing. */
export function parsePolicyFiles(files: readonly PolicyFile[]): Parsed<Policy> {
  const report = createReport()
  const policy = readFiles(files, report)
  const diagnostics = sortDiagnostics(report.diagnostics)
  return policy === null || !report.usable()
    ? { ok: false, diagnostics }
    : { ok: true, value: policy, warnings: diagnostics }
}

function readFiles(files: readonly PolicyFile[], report: Report): Policy | null {
  const size = files.reduce((sum, { text }) => sum + text.length, 0)
  const start = { file: files[0]?.file ?? '', line: 1, column: 1 }
  if (size > documentMaxChars) {
    report.add('document.too-large', '', start, { size, limit: documentMaxChars })
    return null
  }
  const parts = files.flatMap(({ file, text }) => splitBundle(text, file))
  if (parts.length > policyFilesLimit) {
    report.add('document.too-many-files', '', start, { count: parts.length, limit: policyFilesLimit })
    return null
  }
  const composed: ComposedDocument[] = []
  const budget = { lexemes: documentMaxLexemes }
  for (const { file, text } of parts.toSorted((a, b) => compareText(a.file, b.file))) {
    const document = composeDocument(text, file, documentVersion, report, budget)
    if (document !== null) composed.push(document)
  }
  const [first] = composed
  if (first === undefined) return null
  const reader = createDocumentReader(first.root, first.placeAt, report)
  // what a broken file declares is not known: names would only be reported as missing
  return composed.length < parts.length ? null : readPolicy(reader, composed.map(reader.otherRoot))
}

function readPolicy(reader: DocumentReader, roots: readonly Field[]): Policy | null {
  const owners = readOwners(reader, roots)
  if (owners === null) return null
  const tenants = owners.map(({ tenant }) => tenant).filter((tenant) => tenant !== null)
  const declaredGroups = declareNames(reader, owners, 'groups', 'group')
  const declaredProfiles = declareNames(reader, owners, 'profiles', 'profile')
  const declaredServices = declareNames(reader, owners, 'services', 'service')
  const declaredSchedules = declareNames(reader, owners, 'schedules', 'schedule')
  const unions = createServiceUnions()
  const shared = {
    reader,
    tenants: new Set(tenants),
    groups: new Set(declaredGroups.map(({ name }) => name)),
    services: parseServices(reader, declaredServices, unions),
    unions,
    schedules: parseSchedules(reader, declaredSchedules),
    profiles: parseProfiles(reader, declaredProfiles),
    inline: new Map<GroupName, Group>(),
  }
  const groups = parseGroups(shared, declaredGroups)
  const rules = readRules(owners, (tenant) => ({ ...shared, tenant }))
  const guarantees = owners.flatMap(({ tenant, sections }) =>
    parseGuarantees({ ...shared, tenant }, sections.guarantees),
  )
  if (unions.exhausted()) reader.report.add('service.too-large', '', reader.root.place, { limit: serviceUnionLimit })
  checkServiceRanges(reader, [...rules, ...guarantees])
  const inline = [...shared.inline.values()]
  const unused = [
    ...findUnused(reader, 'service', declaredServices),
    ...findUnused(reader, 'schedule', declaredSchedules),
    ...findUnused(reader, 'profile', declaredProfiles),
  ]
  const policy = { tenants, groups: sortGroups([...groups, ...inline]), rules, guarantees }
  return unused.length === 0 ? policy : { ...policy, unused }
}

function findUnused(
  { mentioned }: DocumentReader,
  thing: UnusedName['thing'],
  declared: readonly Declared[],
): readonly UnusedName[] {
  return declared
    .filter(({ name }) => !mentioned.has(`${thing} ${name}`))
    .map(({ name, field }) => ({ thing, name, path: field.path, place: field.keyPlace }))
}

function parseProfiles(reader: DocumentReader, declared: readonly Declared[]): ReadonlySet<GroupName> {
  for (const { field } of declared) {
    const description = reader.record(field, profileFields)?.get('description')
    if (description !== undefined) reader.text(description)
  }
  return new Set(declared.map(({ name }) => name))
}

/** Tier by tier, in the order in which one side asks them. */
function readRules(owners: readonly Owner[], scopeOf: (tenant: Owner['tenant']) => PolicyScope): readonly Rule[] {
  const rules: (readonly Rule[])[] = []
  const [provider] = owners
  const scope = scopeOf(null)
  rules.push(parsePolicies(scope, 'emergency', provider?.sections.emergency))
  rules.push(parseExclusions(scope, provider?.sections.exclusions))
  rules.push(parsePolicies(scope, 'platform', provider?.sections.platform))
  for (const { tenant, sections } of owners) {
    if (tenant === null) continue
    const own = scopeOf(tenant)
    rules.push(parseExclusions(own, sections.exclusions))
    rules.push(parsePolicies(own, 'tenant', sections.policies))
    rules.push(parseDefault(own, sections.default))
  }
  rules.push(parsePolicies(scope, 'baseline', provider?.sections.baseline))
  return rules.flat()
}

function sortGroups(groups: readonly Group[]): readonly Group[] {
  return groups.toSorted((a, b) => compareText(a.name, b.name))
}

function checkServiceRanges(reader: DocumentReader, users: readonly (Rule | Guarantee)[]): void {
  const distinct = new Set<string>()
  const seen = new Set<unknown>()
  for (const { service } of users) {
    if (service.kind === 'any' || seen.has(service)) continue
    seen.add(service)
    for (const { protocol, ranges } of service.entries)
      for (const { from, to } of ranges) distinct.add(`${protocol}:${from}-${to}`)
  }
  const { root, report } = reader
  if (distinct.size > serviceRangeLimit)
    report.add('service.too-many', '', root.place, { count: distinct.size, limit: serviceRangeLimit })
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
