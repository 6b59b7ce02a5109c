/** Recommended rules as a policy document, with what each was seen to carry beside it. */
import type { TenantName } from '@hyperward/model'

import { toFlowText } from './flow-text.ts'
import { type SeenService, toServiceText } from './service-text.ts'

export interface RecommendedRule {
  readonly name: string
  /** Groups and networks. */
  readonly sources: readonly string[]
  readonly destinations: readonly string[]
  readonly services: readonly SeenService[]
  readonly direction: 'both' | 'ingress' | 'egress'
  readonly records: number
  readonly connections: number
  /** ISO 8601 UTC. */
  readonly last: string
}

export interface Section {
  readonly tenant: TenantName
  readonly rules: readonly RecommendedRule[]
  /** Name → selector in flow style, without the braces. */
  readonly groups: ReadonlyMap<string, string>
}

export interface Told {
  readonly records: number
  readonly connections: number
  readonly refused: number
  readonly elsewhere: number
  readonly generalize: 'exact' | 'group'
  readonly share: number
  readonly includeRefused: boolean
}

export function writePolicy(sections: readonly Section[], shared: ReadonlyMap<string, string>, told: Told): string {
  const lines = [
    ...toHead(told),
    'apiVersion: hyperward/v1',
    'kind: Policy',
    ...(shared.size === 0 ? [] : ['', 'provider:', ...toGroups(shared, '  ')]),
    ...(sections.length === 0 ? [] : ['', 'tenants:']),
    ...sections.flatMap(toSection),
  ]
  return `${lines.join('\n')}\n`
}

function toHead({
  records,
  connections,
  refused,
  elsewhere,
  generalize,
  share,
  includeRefused,
}: Told): readonly string[] {
  const width =
    generalize === 'exact'
      ? 'No two ends may talk that were not seen to, and with no other service.'
      : `Where ${Math.round(share * 100)} % of a labelled set were seen, the whole set may.`
  return [
    `# Recommended from ${records} recorded flows (${connections} connections). ${width}`,
    ...(refused === 0 ? [] : [`# Left out: ${refused} flows that were only ever refused.`]),
    ...(includeRefused ? ['# Flows that were refused are allowed here, too: read what each rule opens.'] : []),
    ...(elsewhere === 0
      ? []
      : [`# Left out: ${elsewhere} flows of which no end, or both, is one of the endpoints here.`]),
  ]
}

function toSection({ tenant, rules, groups }: Section): readonly string[] {
  return [
    `  ${toFlowText(tenant)}:`,
    ...toGroups(groups, '    '),
    '    policies:',
    '      - policy: seen',
    '        rules:',
    ...rules.flatMap((rule) => toRule(rule).map((line) => `          ${line}`)),
  ]
}

function toGroups(groups: ReadonlyMap<string, string>, indent: string): readonly string[] {
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
  if (sorted.length === 0) return []
  return [`${indent}groups:`, ...sorted.map(([name, selector]) => `${indent}  ${toFlowText(name)}: { ${selector} }`)]
}

function toRule({ name, sources, destinations, services, direction, records, connections, last }: RecommendedRule) {
  return [
    `# ${connections} connections in ${records} flows, last ${last.replaceAll(/[^\w:.+-]/g, '')}`,
    `- name: ${toFlowText(name)}`,
    `  from: ${toSide(sources)}`,
    `  to: ${toSide(destinations)}`,
    `  service: ${toServiceText(services)}`,
    ...(direction === 'both' ? [] : [`  direction: ${direction}`]),
    '  action: allow',
  ]
}

function toSide(names: readonly string[]): string {
  const [first = ''] = names
  return names.length === 1 ? toFlowText(first) : `[${names.map(toFlowText).join(', ')}]`
}
