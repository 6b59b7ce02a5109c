import { expect, test } from 'vitest'

import { parsePolicy } from '../parse/parse-policy.ts'
import { listRuleChanges } from './list-rule-changes.ts'

const base = { name: 'one', from: 'web', to: 'db', service: '{ tcp: [5432] }', action: 'allow' }
type Fields = Readonly<Record<string, string>>

function toPolicy(rules: readonly Fields[]) {
  const text = `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      web: { labels: { role: web } }
      db: { labels: { role: db } }
    schedules:
      night: { time-zone: Europe/Berlin, windows: [{ from: "22:00", to: "06:00" }] }
    profiles: { ips: {} }
    policies:
      - policy: shop
        rules:
${rules
  .map(
    (rule) =>
      `          - { ${Object.entries(rule)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', ')} }`,
  )
  .join('\n')}
`
  const parsed = parsePolicy(text, 'policy.yaml')
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics))
  return parsed.value
}

const told = (before: readonly Fields[], after: readonly Fields[]): readonly string[] =>
  listRuleChanges(toPolicy(before), toPolicy(after)).map(({ change, rule }) => `${change} ${rule.name}`)

test.each<readonly [string, Fields]>([
  ['description', { description: 'why' }],
  ['service', { service: '{ tcp: [5433] }' }],
  ['direction', { direction: 'egress' }],
  ['applied-to', { 'applied-to': 'web' }],
  ['action and profile', { action: 'inspect', profile: 'ips' }],
  ['log', { log: 'true' }],
  ['log rate', { log: '{ rate: 5 }' }],
  ['monitor', { monitor: 'true' }],
  ['schedule', { schedule: 'night' }],
  ['expires', { expires: '2027-01-01' }],
  ['labels', { labels: '{ ticket: ops-1 }' }],
])('another %s is a changed rule', (_, fields) => {
  expect(told([base], [{ ...base, ...fields }])).toEqual(['changed one'])
})

test('added, removed and moved rules, as few moved as can be; another place in the text is no change', () => {
  const [one, two, three] = ['one', 'two', 'three'].map((name) => ({ ...base, name }))
  if (one === undefined || two === undefined || three === undefined) throw new Error('three rules')
  expect(told([one, two], [two, three])).toEqual(['removed one', 'added three'])
  expect(told([one, two, three], [three, one, two])).toEqual(['moved three'])
  expect(told([one, two], [one, two])).toEqual([])
})
