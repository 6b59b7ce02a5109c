import type { Inventory, RuleRef } from '@hyperward/model'
import { expect, test } from 'vitest'

import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import { activeAt } from '../schedule/active-at.ts'
import { type LintOptions, lintPolicy } from './lint-policy.ts'

const day = 86_400_000
const now = 20_000 * day
const inventory = readInventory()

test.each<readonly [string, string, readonly string[]]>([
  [
    'shadowed by two',
    `
          - {name: a, from: web, to: db, action: allow}
          - {name: b, from: app, to: db, action: drop}
          - {name: c, from: [web, app], to: db, service: {tcp: [80]}, action: allow}`,
    [
      'lint.shadowed: The rule acme/p/c never decides: acme/p/a, acme/p/b before it takes all it would match. Move it up, or take it out.',
    ],
  ],
  [
    'redundant before a wider one',
    `
          - {name: a, from: web, to: db, service: {tcp: [80]}, action: allow}
          - {name: b, from: [web, app], to: db, action: allow}`,
    ['lint.redundant: The rule acme/p/a changes nothing: without it acme/p/b would say the same. It can be taken out.'],
  ],
  [
    'an exception before the rule it is taken from is neither redundant nor a contradiction',
    `
          - {name: a, from: web, to: db, service: {tcp: [22]}, action: drop}
          - {name: b, from: [web, app], to: db, action: allow}`,
    [],
  ],
  [
    'contradiction',
    `
          - {name: a, from: web, to: [db, app], service: {tcp: [22]}, action: drop}
          - {name: b, from: [web, app], to: db, action: allow}`,
    [
      'lint.contradiction: acme/p/a (drop) and acme/p/b (allow) contradict each other where they meet, and neither is the exception of the other: acme/web → acme/db tcp 22 is decided by acme/p/a, because it comes first. Narrow one of them, or say what is meant with a rule before both.',
    ],
  ],
  [
    'what logs is not redundant beside what does not',
    `
          - {name: a, from: web, to: db, service: {tcp: [80]}, action: allow, log: true}
          - {name: b, from: [web, app], to: db, action: allow}`,
    [],
  ],
  [
    'a wall that the default drop repeats is one’s own',
    `
          - {name: a, from: web, to: db, action: drop}`,
    [],
  ],
  [
    'behind a pass nothing of its tier is asked',
    `
          - {name: a, from: any, to: any, action: pass}
          - {name: b, from: web, to: db, action: allow}`,
    [
      'lint.shadowed: The rule acme/p/b never decides: acme/p/a before it takes all it would match. Move it up, or take it out.',
    ],
  ],
  [
    'a side without members',
    `
          - {name: a, from: nobody, to: db, action: allow}`,
    [
      'lint.empty-group: The group "acme/nobody" has no members in this inventory.',
      'lint.never-matches: The rule acme/p/a matches nothing: its source has no members (acme/nobody).',
    ],
  ],
  [
    'enforced where no endpoint is',
    `
          - {name: a, from: web, to: 192.0.2.0/24, direction: ingress, action: allow}`,
    ['lint.never-matches: The rule acme/p/a matches nothing: no endpoint is at the end where it is enforced.'],
  ],
  [
    'ends of different families',
    `
          - {name: a, from: "2001:db8::/32", to: 10.0.0.0/24, direction: ingress, action: allow}`,
    ['lint.never-matches: The rule acme/p/a matches nothing: its two ends have no address family in common.'],
  ],
  [
    'too broad',
    `
          - {name: a, from: web, to: any, service: {tcp: any}, action: allow}
          - {name: b, from: any, to: web, service: {tcp: [443]}, action: allow}
          - {name: c, from: 0.0.0.0/0, to: web, action: allow}
          - {name: d, from: any, to: any, action: allow}`,
    [
      'lint.open-from-inside: The rule acme/p/a lets its source reach every address with every service (tcp any). Name the services it needs.',
      'lint.open-to-world: The rule acme/p/c lets every address reach its destination with every service (any). Name the services it offers.',
      'lint.allows-everything: The rule acme/p/d lets everything through, from anywhere to anywhere (any). Say who may reach what.',
    ],
  ],
  [
    'dates',
    `
          - {name: a, from: web, to: db, action: allow, expires: 2024-10-01}
          - {name: b, from: web, to: app, action: allow, expires: 2024-10-12}
          - {name: c, from: app, to: db, action: allow, expires: 2030-01-01}`,
    [
      'lint.expired: The rule acme/p/a ended on 2024-10-01 00:00 UTC and holds no more. Take it out, or give it a later date.',
      'lint.expiring: The rule acme/p/b ends on 2024-10-12 00:00 UTC. What it decides is decided by others from then on.',
    ],
  ],
  [
    'a monitor without an end',
    `
          - {name: a, from: web, to: db, action: allow, monitor: true}`,
    [
      'lint.monitor-forgotten: The rule acme/p/a only watches (monitor), without an end. Put it in force, or give it a date in expires.',
    ],
  ],
])('%s', (name, rules, expected) => {
  const told = lint(rules).filter(
    (line) => !line.startsWith('lint.unused-group') && (rules.includes('nobody') || !line.includes('nobody')),
  )
  // too broad rules make others of the example redundant; what is asked for is told
  if (name === 'too broad') expect(told).toEqual(expect.arrayContaining([...expected]))
  else expect(told).toEqual(expected)
})

test('a group that nothing names is told, one that a guarantee names is not', () => {
  const rule = '\n          - {name: a, from: web, to: db, action: allow}'
  const unused = (text: string): readonly string[] => lint(text).filter((line) => line.startsWith('lint.unused-group'))
  expect(unused(rule)).toEqual([
    'lint.unused-group: Nothing names the group "acme/app".',
    'lint.unused-group: Nothing names the group "acme/nobody".',
  ])
  expect(unused(`${rule}\n    guarantees:\n      - {name: g, never: {from: app, to: nobody}}`)).toEqual([])
})

test.each(['00:00', '12:00'])(
  'what a rule does only while another holds is not said of it (window from %s)',
  (from) => {
    const to = from === '00:00' ? '06:00' : '18:00'
    const schedules = `
    schedules: {window: {time-zone: UTC, windows: [{from: "${from}", to: "${to}"}]}}`
    const told = (rules: string): readonly string[] =>
      lint(`${rules}${schedules}`).filter((line) => /shadowed|redundant|unused-group: .*"acme\/app"/.test(line))
    // b is all that is left of a outside the window
    expect(
      told(`
          - {name: a, from: web, to: db, action: allow, schedule: window}
          - {name: b, from: web, to: db, service: {tcp: [80]}, action: allow}
          - {name: c, from: app, to: db, action: allow}`),
    ).toEqual([])
    // without a, b would be what decides in the window too
    expect(
      told(`
          - {name: a, from: web, to: db, service: {tcp: [80]}, action: allow}
          - {name: b, from: web, to: db, action: drop, schedule: window}
          - {name: c, from: [web, app], to: db, action: allow}`),
    ).toEqual([])
    // what no timed rule meets is told as ever
    expect(
      told(`
          - {name: a, from: app, to: db, action: allow, schedule: window}
          - {name: b, from: web, to: db, action: allow}
          - {name: c, from: web, to: db, service: {tcp: [80]}, action: drop}`),
    ).toEqual([
      'lint.shadowed: The rule acme/p/c never decides: acme/p/b before it takes all it would match. Move it up, or take it out.',
    ])
  },
)

test('a rule that another shadows until that ends is not told to go', () => {
  const told = lint(`
          - {name: a, from: web, to: db, action: allow, expires: 2025-06-01}
          - {name: b, from: web, to: db, service: {tcp: [80]}, action: allow}`)
  expect(told.filter((line) => /shadowed|redundant/.test(line))).toEqual([])
})

test('a service, schedule or profile that nothing names is told', () => {
  const rules = `
          - {name: a, from: web, to: db, service: used, action: allow}
    services: {used: {tcp: [80]}, spare: {tcp: [81]}}
    schedules: {night: {time-zone: UTC, windows: [{from: "20:00"}]}}
    profiles: {deep: {}}`
  expect(lint(rules).filter((line) => line.startsWith('lint.unused-name'))).toEqual([
    'lint.unused-name: Nothing names the service "acme/spare".',
    'lint.unused-name: Nothing names the schedule "acme/night".',
    'lint.unused-name: Nothing names the profile "acme/deep".',
  ])
})

test('rules without a hit are told, with since when, where counters are known; dead ones are told for what they are', () => {
  const ref = (name: string): RuleRef => `tenant:acme/p/${name}` as RuleRef // as: the references of the rules below
  const hits = new Map([
    [ref('a'), { hits: 0, since: now - day }],
    [ref('b'), { hits: 3, since: now - day }],
    [ref('c'), { hits: 0, since: null }],
  ])
  const rules = `
          - {name: a, from: web, to: db, action: allow}
          - {name: b, from: app, to: db, action: allow}
          - {name: c, from: web, to: db, action: allow}`
  expect(lint(rules, { now, hits }).filter((line) => line.startsWith('lint.unused-rule'))).toEqual([
    'lint.unused-rule: The rule acme/p/a has not decided a single connection since 2024-10-03 00:00 UTC.',
  ])
})

test('a tenant without endpoints is told once', () => {
  const told = lint(
    '\n          - {name: a, from: web, to: db, action: allow}\n          - {name: b, from: web, to: db, action: drop}',
    { now },
    'globex',
  )
  expect(told.filter((line) => line.startsWith('lint.idle-tenant'))).toHaveLength(1)
  expect(told.filter((line) => /shadowed|never-matches/.test(line))).toEqual([])
})

function lint(rules: string, options: LintOptions = { now }, tenant = 'acme'): readonly string[] {
  const text = `apiVersion: hyperward/v1
kind: Policy
tenants:
  ${tenant}:
    groups:
      web: {labels: {tier: web}}
      app: {labels: {tier: app}}
      db: {labels: {tier: db}}
      nobody: {labels: {tier: cobol}}
    policies:
      - policy: p
        rules:${rules}
`
  const parsed = parsePolicy(text, 'p.yaml')
  if (!parsed.ok) return expect.fail(JSON.stringify(parsed.diagnostics))
  const resolved = resolve(activeAt(parsed.value, options.now), inventory)
  return lintPolicy(resolved, options).map(({ code, message }) => `${code}: ${message}`)
}

function readInventory(): Inventory {
  const vm = (number: number, name: string): string =>
    `  - {uuid: 00000000-0000-4000-8000-0000000000${number}, name: ${name}, host: h1, tenant: acme, labels: {tier: ${name}}, endpoints: [{mac: "52:54:00:00:00:${number}", addresses: [10.0.0.${number}]}]}\n`
  const text = `apiVersion: hyperward/v1\nkind: Inventory\nhosts: [h1]\nvms:\n${vm(11, 'web')}${vm(12, 'app')}${vm(13, 'db')}`
  const parsed = parseInventory(text, 'inventory.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}
