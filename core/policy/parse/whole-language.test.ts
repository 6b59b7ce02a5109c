/** What the parser makes of each construct. What is refused stands in tests/golden. */
import type { Parsed, Policy, Rule } from '@hyperward/model'
import { expect, test } from 'vitest'

import { commonServices } from '../language/common-services.ts'
import { parseMoment } from './parse-date.ts'
import { parsePolicy, parsePolicyFiles } from './parse-policy.ts'
import { toService } from './to-service.ts'

const head = 'apiVersion: hyperward/v1\nkind: Policy\n'

function accept(parsed: Parsed<Policy>): Policy {
  if (!parsed.ok) return expect.fail(parsed.diagnostics.map(({ message }) => message).join('\n'))
  return parsed.value
}

function policyOf(text: string): Policy {
  return accept(parsePolicy(head + text, 'p.yaml'))
}

/** The only rule of tenant acme, which has the groups web and db. */
function ruleOf(text: string): Rule {
  const { rules } = policyOf(
    `provider: {profiles: {deep: {}}}\ntenants: {acme: {groups: {web: {labels: {tier: web}}, db: {labels: {tier: db}}}, services: {ssh: {tcp: [2222]}},
      policies: [{policy: p, rules: [{name: r, action: allow, ${text}}]}]}}\n`,
  )
  return rules[0] ?? expect.fail('no rule')
}

function withoutPlaces(policy: Policy): unknown {
  return JSON.parse(
    JSON.stringify(policy, (key, value: unknown) => (['place', 'written', 'path'].includes(key) ? null : value)),
  )
}

const sides: readonly (readonly [text: string, side: Rule['source']])[] = [
  ['any', { kind: 'any', except: [] }],
  ['{any-of: any}', { kind: 'any', except: [] }],
  ['{not: web}', { kind: 'any', except: ['acme/web'] as never }],
  ['[web, db]', { kind: 'groups', groups: ['acme/db', 'acme/web'] as never, except: [] }],
  [
    '{any-of: [web, db], not: [web]}',
    { kind: 'groups', groups: ['acme/db', 'acme/web'] as never, except: ['acme/web'] as never },
  ],
  ['10.1.2.3', { kind: 'groups', groups: ['acme/(networks 10.1.2.3/32)'] as never, except: [] }],
  [
    '{networks: [10.0.0.0/8], except: [10.1.0.0/16]}',
    { kind: 'groups', groups: ['acme/(networks 10.0.0.0/8 except 10.1.0.0/16)'] as never, except: [] },
  ],
  [
    '{labels: {b: [y, x], a: "="}, not: {names: db-*}}',
    { kind: 'groups', groups: ['acme/(label a="="; label b=x|y; not name db-*)'] as never, except: [] },
  ],
  ['{not: {labels: {a: b}}}', { kind: 'groups', groups: ['acme/(not label a=b)'] as never, except: [] }],
]

test.each(sides)('a side written %s', (text, side) => {
  expect(ruleOf(`from: ${text}, to: web`).source).toEqual(side)
})

test('equal selectors in place are one group, whatever the order in which they are written', () => {
  const { groups } = policyOf(
    `tenants: {acme: {policies: [{policy: p, rules: [
      {name: a, from: {labels: {x: [b, a]}, os: [z, y]}, to: {os: [y, z], expressions: [{label: x, in: [a, b]}]}, action: drop},
      {name: b, from: {not: {os: w}, labels: {x: a}}, to: any, action: drop}]}]}}`,
  )
  expect(groups.map((group) => group.name)).toEqual(['acme/(label x=a; not os w)', 'acme/(label x=a|b; os y|z)'])
  expect(groups.every((group) => group.inline)).toBe(true)
})

test('not negates each criterion by itself', () => {
  const { groups } = policyOf(
    'provider: {groups: {g: {not: {labels: {a: b}, names: [x], expressions: [{label: c, notin: [d]}, {label: e, exists: false}]}}}}',
  )
  expect(groups[0]?.selector).toEqual({
    kind: 'endpoints',
    tenants: null,
    criteria: [
      { kind: 'label', key: 'c', values: ['d'], negated: false },
      { kind: 'label-exists', key: 'e', negated: false },
      { kind: 'label', key: 'a', values: ['b'], negated: true },
      { kind: 'name', patterns: ['x'], negated: true },
    ],
  })
})

test('a tenant has no name for the tenants field, and a group in place sees its own only', () => {
  expect(parsePolicy(`${head}tenants: {acme: {groups: {g: {tenants: [acme], names: a}}}}`, 'p').ok).toBe(false)
  const { groups } = policyOf(
    'tenants: {acme: {exclusions: [{name: e, members: {names: a}, reason: r, expires: 2027-01-01}]}}',
  )
  expect(groups[0]).toMatchObject({ tenant: 'acme', selector: { tenants: ['acme'] } })
})

test('the order of policies is that of the numbers, or of the lines when there are none', () => {
  const refs = (orders: string): readonly string[] =>
    policyOf(`provider: {platform: [${orders}]}`).rules.map((rule) => rule.policy)
  const rules = 'rules: [{name: r, from: any, to: any, action: drop}]'
  expect(refs(`{policy: b, ${rules}}, {policy: a, ${rules}}`)).toEqual(['b', 'a'])
  expect(
    refs(`{policy: b, order: 2, ${rules}}, {policy: c, order: -3, ${rules}}, {policy: a, order: 1, ${rules}}`),
  ).toEqual(['c', 'a', 'b'])
})

test('tiers, exclusions and defaults come out in the order in which they are asked', () => {
  const rules = (name: string): string => `[{policy: ${name}, rules: [{name: r, from: any, to: any, action: drop}]}]`
  const { rules: found } = policyOf(`
provider: {baseline: ${rules('last')}, platform: ${rules('mine')}, emergency: ${rules('first')}, exclusions: [{name: e, members: 10.0.0.1, reason: r, expires: 2027-01-01}]}
tenants:
  b: {default: allow, policies: ${rules('b')}}
  a: {default: pass, policies: ${rules('a')}, exclusions: [{name: e, members: any, reason: r, expires: 2027-01-01}]}`)
  expect(found.map((rule) => rule.ref)).toEqual([
    'emergency:/first/r',
    'platform:/(exclusions)/e',
    'platform:/mine/r',
    'tenant:a/(exclusions)/e',
    'tenant:a/a/r',
    'tenant:b/b/r',
    'tenant:b/(default)/allow',
    'baseline:/last/r',
  ])
  expect(found.map((rule) => rule.origin ?? 'rule')).toEqual([
    'rule',
    'exclusion',
    'rule',
    'exclusion',
    'rule',
    'rule',
    'default',
    'rule',
  ])
})

test('a policy over several files is the policy of one, in whatever order they are given', () => {
  const one = `provider:
  groups: {office: {networks: [10.0.0.0/8]}}
  services: {web: {services: [http, https]}}
  exclusions:
    - {name: a, members: office, reason: r, expires: 2027-01-01}
    - {name: z, members: 10.9.9.9, reason: r, expires: 2027-01-01}
tenants:
  acme:
    groups: {web: {labels: {tier: web}}, all: {groups: [web]}}
    policies:
      - {policy: a, order: 1, rules: [{name: r, from: provider/office, to: all, service: provider/web, action: allow}]}
      - {policy: b, order: 2, rules: [{name: r, from: all, to: 10.9.9.9, action: drop}]}
  globex: {default: drop}
`
  const files = [
    {
      file: 'z.yaml',
      text: `${head}provider:\n  services: {web: {services: [http, https]}}\n  exclusions: [{name: z, members: 10.9.9.9, reason: r, expires: 2027-01-01}]\ntenants: {globex: {}}\n`,
    },
    {
      file: 'b.yaml',
      text: `${head}tenants:\n  acme:\n    groups: {all: {groups: [web]}}\n    policies:\n      - {policy: b, order: 2, rules: [{name: r, from: all, to: 10.9.9.9, action: drop}]}\n`,
    },
    {
      file: 'a.yaml',
      text: `${head}provider:\n  groups: {office: {networks: [10.0.0.0/8]}}\n  exclusions: [{name: a, members: office, reason: r, expires: 2027-01-01}]\ntenants:\n  globex: {default: drop}\n  acme:\n    groups: {web: {labels: {tier: web}}}\n    policies:\n      - {policy: a, order: 1, rules: [{name: r, from: provider/office, to: all, service: provider/web, action: allow}]}\n`,
    },
  ]
  const whole = withoutPlaces(policyOf(one))
  expect(withoutPlaces(accept(parsePolicyFiles(files)))).toEqual(whole)
  expect(accept(parsePolicyFiles(files.toReversed()))).toEqual(accept(parsePolicyFiles(files)))
})

test("one's own service goes before the catalogue's of the same name, which common/ still names", () => {
  const ports = (text: string): unknown => {
    const { service } = ruleOf(`from: any, to: any, service: ${text}`)
    return service.kind === 'some' ? service.entries.map(({ ranges }) => ranges) : null
  }
  expect(ports('ssh')).toEqual([[{ from: 2222, to: 2222 }]])
  expect(ports('common/ssh')).toEqual([[{ from: 22, to: 22 }]])
  expect(ports('[ssh, common/ssh, https]')).toEqual([[22, 443, 2222].map((port) => ({ from: port, to: port }))])
  expect(ports('{tcp: [23], services: ssh}')).toEqual([[23, 2222].map((port) => ({ from: port, to: port }))])
})

test('every service of the catalogue is one, under a name that a document can write', () => {
  expect(Object.keys(commonServices).length).toBeGreaterThan(80)
  for (const [name, text] of Object.entries(commonServices)) {
    expect(name).toMatch(/^[a-z0-9][a-z0-9-]*[a-z0-9]$/)
    expect(toService(text)).toMatchObject({ kind: 'some' })
  }
  expect(() => toService('tcp/70000')).toThrow('not a service')
  expect(() => toService('http')).toThrow('not a service')
  expect(toService('protocol/6')).toEqual({
    kind: 'some',
    entries: [{ protocol: 6, ranges: [{ from: 0, to: 65_535 }] }],
  })
})

const moments: readonly (readonly [text: string, ms: number | null])[] = [
  ['2026-12-31', 1_798_675_200_000],
  ['2026-12-31T08:00:00+08:00', 1_798_675_200_000],
  ['2026-12-30T19:30-04:30', 1_798_675_200_000],
  ['2026-12-31T00:00:00.5Z', 1_798_675_200_000],
  ['1970-01-01', 0],
  ['2024-02-29', 1_709_164_800_000],
  ['2023-02-29', null],
  ['2100-02-29', null],
  ['2026-13-01', null],
  ['2026-00-10', null],
  ['2026-04-31', null],
  ['2026-12-31T24:00Z', null],
  ['2026-12-31T08:00', null],
  ['2026-12-31T08:00:00+0800', null],
  ['2026-12-31T08:00:00+08:60', null],
  ['1969-12-31', null],
  ['20261231', null],
  ['', null],
]

test.each(moments)('the moment "%s"', (text, ms) => {
  expect(parseMoment(text)).toBe(ms)
})
