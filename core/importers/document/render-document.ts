/** Draft → the text of a policy document: readable, and the same bytes for the same draft. */
import { type Diagnostic, icmpTypeNames, type PortRange, type ServiceEntry } from '@hyperward/model'

import { type AddressSet, anyOfFamily, familyOf, isAnyAddress, sameSet } from './address-set.ts'
import type { DraftDocument, DraftGroup, DraftPolicy, DraftRule, DraftSide, DraftTenant } from './draft.ts'
import { createNamer } from './namer.ts'
import { sameService, type ServiceSet, wholeProtocol } from './service-set.ts'

/** More prefixes than this get a group of their own: a rule stays a line that can be read. */
const inlinePrefixes = 6
const lineWidth = 140

export interface RenderedFrom {
  readonly kind: string
  readonly files: readonly string[]
  readonly diagnostics: readonly Diagnostic[]
}

export function renderDocument(draft: DraftDocument, from: RenderedFrom): string {
  const lines = [...renderHeader(draft, from), 'apiVersion: hyperward/v1', 'kind: Policy', '']
  const tenants = [...draft.tenants].sort((a, b) => compareText(a.name, b.name))
  // joined, never spread as arguments: there may be hundreds of thousands of lines
  return `${lines.concat(tenants.length === 0 ? 'tenants: {}' : 'tenants:', tenants.flatMap(renderTenant)).join('\n')}\n`
}

function renderHeader({ hints }: DraftDocument, { kind, files, diagnostics }: RenderedFrom): readonly string[] {
  const comment = (text: string): string => `# ${text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')}`
  const lines = [comment(`Imported from ${kind}: ${files.join(', ')}.`)]
  if (diagnostics.length > 0)
    lines.push(comment(`Without an exact equal here, each told when this was made: ${diagnostics.length}.`))

  if (hints.length > 0) lines.push('#', '# Before publishing, give the VMs their tenant and labels:')
  for (const { tenant, label, value, of } of hints)
    lines.push(comment(`  hyperward vms set VM --tenant ${tenant} --label ${label}=${value}    (${of})`))
  return [...lines, '']
}

function renderTenant(tenant: DraftTenant): readonly string[] {
  const names = createNamer()
  for (const group of tenant.groups) names.name(group.name, group.name)
  const made = new Map<string, string>()
  const groups: DraftGroup[] = [...tenant.groups]
  /** Long lists of prefixes become groups, each content once. */
  const nameSet = (set: AddressSet): string => {
    const key = JSON.stringify([set.include.map((block) => block.text), set.exclude.map((block) => block.text)])
    const known = made.get(key)
    if (known !== undefined) return known
    const name = names.name('networks', 'networks')
    made.set(key, name)
    groups.push({ name, kind: 'networks', set })
    return name
  }
  const policies = tenant.policies.flatMap((policy) => renderPolicy(policy, nameSet))
  const head = `  ${scalar(tenant.name)}:`
  if (groups.length === 0 && policies.length === 0) return [`${head} {}`]
  return [
    head,
    ...(groups.length === 0 ? [] : ['    groups:', ...groups.flatMap(renderGroup)]),
    ...(policies.length === 0 ? [] : ['    policies:', ...policies]),
  ]
}

function renderGroup(group: DraftGroup): readonly string[] {
  const head = `      ${scalar(group.name)}:`
  if (group.kind === 'labels') {
    const labels = group.labels.map(([key, value]) => `${scalar(key)}: ${scalar(value)}`)
    return [`${head} { labels: { ${labels.join(', ')} } }`]
  }
  const networks = group.set.include.map((block) => block.text)
  const except = group.set.exclude.map((block) => block.text)
  const parts = [`networks: ${list(networks)}`, ...(except.length === 0 ? [] : [`except: ${list(except)}`])]
  const line = `${head} { ${parts.join(', ')} }`
  if (line.length <= lineWidth) return [line]
  const block = (key: string, items: readonly string[]): readonly string[] =>
    items.length === 0 ? [] : [`        ${key}:`, ...items.map((item) => `          - ${scalar(item)}`)]
  return [head, ...block('networks', networks), ...block('except', except)]
}

function renderPolicy({ name, rules }: DraftPolicy, nameSet: (set: AddressSet) => string): readonly string[] {
  const names = createNamer()
  const lines = [`      - policy: ${scalar(name)}`]
  if (rules.length === 0) return [...lines, '        rules: []']
  return [
    ...lines,
    '        rules:',
    ...rules.flatMap((rule) => renderRule(rule, names.name(rule.name, 'rule'), nameSet)),
  ]
}

function renderRule(rule: DraftRule, name: string, nameSet: (set: AddressSet) => string): readonly string[] {
  const { from, to } = renderSides(rule, nameSet)
  const fields: (readonly [string, string])[] = [
    ['name', scalar(name)],
    ...(rule.description === undefined ? [] : [['description', scalar(rule.description)] as const]),
    ['from', from],
    ['to', to],
    ...(rule.service === null ? [] : [['service', renderService(rule.service)] as const]),
    ['direction', rule.direction],
    ...(rule.appliedTo === undefined ? [] : [['applied-to', list(rule.appliedTo)] as const]),
    ['action', rule.action],
    ...(rule.log ? [['log', 'true'] as const] : []),
  ]
  const origin =
    rule.place === undefined
      ? ''
      : `  # ${rule.place.file.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')}:${rule.place.line}`
  const flow = `          - { ${fields.map(([key, value]) => `${key}: ${value}`).join(', ')} }`
  if (flow.length <= lineWidth) return [`${flow}${origin}`]
  return fields.map(([key, value], index) =>
    index === 0 ? `          - ${key}: ${value}${origin}` : `            ${key}: ${value}`,
  )
}

function renderSides(
  { from, to, service }: DraftRule,
  nameSet: (set: AddressSet) => string,
): { readonly from: string; readonly to: string } {
  // both ends of a packet have one family: what the service or one side says, the other need not say
  const said = familyOfService(service)
  const narrowTo = isWholeFamily(to) ? null : familyOfSide(to)
  const fromText = renderSide(from, said ?? narrowTo, nameSet)
  return { from: fromText, to: renderSide(to, said ?? (fromText === 'any' ? null : familyOfSide(from)), nameSet) }
}

function familyOfSide(side: DraftSide): 4 | 6 | null {
  return side.kind === 'set' ? familyOf(side.set) : null
}

function isWholeFamily(side: DraftSide): boolean {
  return side.kind === 'set' && (sameSet(side.set, anyOfFamily[4]) || sameSet(side.set, anyOfFamily[6]))
}

/** ICMP has a protocol of its own in each family; the other family's is dropped before the policy is asked. */
function familyOfService(service: ServiceSet): 4 | 6 | null {
  const protocols = (service ?? []).map(({ protocol }) => protocol)
  if (protocols.length !== 1) return null
  return protocols[0] === 1 ? 4 : protocols[0] === 58 ? 6 : null
}

/** `family` is what the rest of the rule says of it. */
function renderSide(side: DraftSide, family: 4 | 6 | null, nameSet: (set: AddressSet) => string): string {
  if (side.kind === 'groups') return side.groups.length === 1 ? scalar(side.groups[0] ?? '') : list(side.groups)
  const { set } = side
  if (set.group !== undefined) return scalar(set.group)
  if (isAnyAddress(set) || (isWholeFamily(side) && family === familyOf(set))) return 'any'
  if (set.include.length + set.exclude.length > inlinePrefixes) return scalar(nameSet(set))
  const networks = set.include.map((block) => block.text)
  const except = set.exclude.map((block) => block.text)
  if (except.length > 0) {
    if (isAnyAddress({ include: set.include, exclude: [] })) return `{ not: ${list(except)} }`
    return `{ networks: ${list(networks)}, except: ${list(except)} }`
  }
  return networks.length === 1 ? scalar(networks[0] ?? '') : list(networks)
}

const serviceKeys: Readonly<Record<number, 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6'>> = {
  6: 'tcp',
  17: 'udp',
  132: 'sctp',
  1: 'icmp',
  58: 'icmpv6',
}

function renderService(service: NonNullable<ServiceSet>): string {
  const bare: string[] = []
  const parts: string[] = []
  for (const entry of service) {
    const key = serviceKeys[entry.protocol]
    if (key === undefined) bare.push(String(entry.protocol))
    else parts.push(`${key}: ${renderRanges(entry, key)}`)
  }
  if (bare.length > 0) parts.push(`protocol: ${list(bare)}`)
  return `{ ${parts.join(', ')} }`
}

function renderRanges(entry: ServiceEntry, key: string): string {
  if (sameService([entry], [wholeProtocol(entry.protocol)])) return 'any'
  return list(entry.ranges.map((range) => renderRange(range, key)))
}

function renderRange({ from, to }: PortRange, key: string): string {
  if (from !== to) return `${from}-${to}`
  if (key !== 'icmp' && key !== 'icmpv6') return String(from)
  return Object.entries(icmpTypeNames[key]).find(([, type]) => type === from)?.[0] ?? String(from)
}

function list(items: readonly string[]): string {
  return `[${items.map(scalar).join(', ')}]`
}

/** Plain where YAML has no second reading of it; else in double quotes, whose escapes are JSON's. */
function scalar(text: string): string {
  if (/^[\p{L}\p{N}](?:[\p{L}\p{N}._/-]*[\p{L}\p{N}])?$/u.test(text)) return text
  return JSON.stringify(text.replaceAll(/\p{Cs}/gu, '\uFFFD')).replaceAll(
    /[\u007F-\u009F\u2028\u2029\uFEFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
