/** Random policies over the whole language (as YAML text, so that the parser is in it). Everything overlaps on purpose. For tests only. */
import type { Inventory } from '@hyperward/model'
import * as fc from 'fast-check'

import { arbitraryInventory, worldTenants } from './arbitrary-inventory.ts'
import { arbitraryRule, type RuleWords } from './arbitrary-rule.ts'
import { exceptText, networkListText, selectorText, servicesText } from './arbitrary-selector.ts'

export { arbitraryInventory, arbitraryPacket } from './arbitrary-inventory.ts'

export interface World {
  readonly text: string
  readonly inventory: Inventory
}

/** What one owner (the provider or a tenant) writes. Texts are YAML in flow style, without the `name` of a rule. */
export interface OwnerParts {
  readonly near: string
  readonly far: string
  readonly odd: string
  readonly even: string
  readonly exclusions: readonly string[]
  readonly guarantees: readonly string[]
}

export interface TenantParts extends OwnerParts {
  readonly rules: readonly string[]
  readonly default: string | null
}

export interface PolicyParts extends OwnerParts {
  readonly emergency: readonly string[]
  readonly platform: readonly string[]
  readonly baseline: readonly string[]
  readonly tenants: readonly TenantParts[]
}

const ownGroups = ['web', 'db', 'blue', 'mixed', 'near', 'far', 'odd', 'even', 'rest'] as const
const ownServices = ['webs', 'dns', 'pings', 'many'] as const

function ofProvider(names: readonly string[]): readonly string[] {
  return names.map((name) => `provider/${name}`)
}

const providerWords: RuleWords = {
  groups: [...ownGroups, ...worldTenants.flatMap((tenant) => ownGroups.map((name) => `${tenant}/${name}`))],
  services: [...ownServices, ...worldTenants.map((tenant) => `${tenant}/webs`)],
  profiles: ['deep'],
  schedules: ['office-hours'],
  seesTenants: true,
}
const tenantWords: RuleWords = {
  groups: [...ownGroups, ...ofProvider(ownGroups)],
  services: [...ownServices, ...ofProvider(ownServices)],
  profiles: ['deep', 'provider/deep'],
  schedules: ['office-hours', 'provider/office-hours'],
  seesTenants: false,
}

const providerRule = arbitraryRule(providerWords)
const tenantRule = arbitraryRule(tenantWords)
/** A rule as a tenant may write it, without its name. */
export const arbitraryTenantRule = tenantRule.rule

function ownerModel({ side, exclusion, statement }: typeof tenantRule, seesTenants: boolean) {
  return {
    near: networkListText,
    far: fc.tuple(networkListText, exceptText).map(([networks, except]) => `${networks}${except}`),
    odd: selectorText(seesTenants),
    even: selectorText(seesTenants),
    exclusions: fc.array(exclusion, { maxLength: 1 }),
    guarantees: fc.array(statement(side), { maxLength: 2 }),
  }
}

export const arbitraryParts: fc.Arbitrary<PolicyParts> = fc.record({
  ...ownerModel(providerRule, true),
  emergency: fc.array(providerRule.rule, { maxLength: 2 }),
  platform: fc.array(providerRule.rule, { maxLength: 3 }),
  baseline: fc.array(providerRule.rule, { maxLength: 3 }),
  tenants: fc.tuple(
    ...worldTenants.map(() =>
      fc.record({
        ...ownerModel(tenantRule, false),
        rules: fc.array(tenantRule.rule, { maxLength: 6 }),
        default: fc.constantFrom(null, null, 'allow', 'drop', 'reject', 'pass'),
      }),
    ),
  ),
})

export const arbitraryWorld: fc.Arbitrary<World> = fc
  .record({ parts: arbitraryParts, inventory: arbitraryInventory })
  .map(({ parts, inventory }) => ({ text: toPolicyText(parts), inventory }))

export function toPolicyText(parts: PolicyParts): string {
  const provider = [
    ownerText(parts),
    policiesText('emergency', 'e', parts.emergency),
    policiesText('platform', 'p', parts.platform),
    policiesText('baseline', 'b', parts.baseline),
  ].join('')
  const owned = parts.tenants.map((tenant, index) => {
    const fallback = tenant.default === null ? '' : `default: ${tenant.default}\n`
    return `  ${worldTenants[index] ?? ''}:\n${indent(`${ownerText(tenant)}${policiesText('policies', 't', tenant.rules)}${fallback}`, 4)}`
  })
  return `apiVersion: hyperward/v1\nkind: Policy\nprovider:\n${indent(provider, 2)}tenants:\n${owned.join('')}`
}

function ownerText(parts: OwnerParts): string {
  const groups = [
    'web: {labels: {tier: web}}',
    'db: {labels: {tier: [db, app]}}',
    'blue: {labels: {color: blue}}',
    'mixed: {groups: [near, blue]}',
    `near: {networks: ${parts.near}}`,
    `far: {networks: ${parts.far}}`,
    `odd: {${parts.odd}}`,
    `even: {${parts.even}}`,
    'rest: {groups: [odd, mixed], except: [web, far]}',
  ]
  const lists = { exclusions: parts.exclusions, guarantees: parts.guarantees }
  const listText = Object.entries(lists).flatMap(([key, items]) =>
    items.length === 0 ? [] : [`${key}:\n${items.map((text, index) => `  - {name: x${index}, ${text}}\n`).join('')}`],
  )
  return [
    `groups:\n${groups.map((line) => `  ${line}\n`).join('')}`,
    `services:\n${servicesText.map((line) => `  ${line}\n`).join('')}`,
    'schedules:\n  office-hours: {time-zone: Asia/Shanghai, windows: [{days: [mon-fri], from: "08:00", to: "18:00"}, {days: [sat]}]}\n',
    'profiles:\n  deep: {description: everything is looked into}\n',
    ...listText,
  ].join('')
}

/** With four rules or more, two policies with an explicit order: the names of the rules stay those of the list. */
function policiesText(key: string, name: string, rules: readonly string[]): string {
  if (rules.length === 0) return ''
  const items = rules.map((text, index) => `      - {name: r${index}, ${text}}\n`)
  if (rules.length < 4) return `${key}:\n  - policy: ${name}\n    rules:\n${items.join('')}`
  const half = [items.slice(0, 2), items.slice(2)]
  const policies = half.map(
    (part, index) => `  - policy: ${name}${index}\n    order: ${index * 10}\n    rules:\n${part.join('')}`,
  )
  return `${key}:\n${policies.join('')}`
}

function indent(text: string, spaces: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(spaces))
}
