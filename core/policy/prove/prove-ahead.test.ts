import { expect, test } from 'vitest'

import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import { activeAt } from '../schedule/active-at.ts'
import { proveAhead, type AheadOptions } from './prove-ahead.ts'
import { proveGuarantees } from './prove-guarantees.ts'

/** A Tuesday. */
const now = Date.parse('2026-11-24T12:00:00Z')

const vm = (n: number, role: string): string =>
  `  - {uuid: 00000000-0000-4000-8000-00000000000${n}, name: ${role}, host: h1, tenant: acme, labels: {role: ${role}}, endpoints: [{mac: "52:54:00:00:00:0${n}", addresses: [10.0.0.${n}]}]}\n`
const inventoryText = `apiVersion: hyperward/v1\nkind: Inventory\nhosts: [h1]\nvms:\n${vm(1, 'web')}${vm(2, 'db')}`

function ahead(rules: readonly string[], schedules = '', options: Partial<AheadOptions> = {}): readonly string[] {
  const text = `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups: { web: { labels: { role: web } }, db: { labels: { role: db } } }
    schedules:
      night: { time-zone: UTC, windows: [{ from: "22:00", to: "06:00" }] }
      sunday: { time-zone: UTC, windows: [{ days: [sun] }] }
${schedules}
    policies:
      - policy: p
        rules:
${rules.map((rule) => `          - { ${rule} }\n`).join('')}
    guarantees:
      - { name: apart, never: { from: web, to: db, service: ssh } }
      - { name: pings, always: { from: web, to: db, service: ping } }
`
  const policy = parsePolicy(text, 'p.yaml')
  const inventory = parseInventory(inventoryText, 'i.yaml')
  if (!policy.ok || !inventory.ok) throw new Error(JSON.stringify(policy.ok ? inventory : policy))
  const resolved = resolve(activeAt(policy.value, now), inventory.value)
  return proveAhead(resolved, proveGuarantees(resolved), { now, ...options }).map(
    ({ code, params }) => `${code} ${params['guarantee'] ?? ''} ${params['time'] ?? ''}`,
  )
}
const ping = 'name: ping, from: web, to: db, service: ping, action: allow'
const drop = 'name: closed, from: web, to: db, service: ssh, action: drop'
const ssh = 'name: ssh, from: web, to: db, service: ssh, action: allow'

test('a rule of the night breaks it when the night comes', () => {
  expect(ahead([ping, `${ssh}, schedule: night`])).toEqual(['guarantee.breaks-later acme/apart 2026-11-24 22:00 UTC'])
})

test('a rule that stands before it at all hours keeps it', () => {
  expect(ahead([ping, drop, `${ssh}, schedule: night`])).toEqual([])
})

test('what keeps it ends one day, however far that is', () => {
  expect(ahead([ping, `${drop}, expires: 2031-02-03`, ssh])).toEqual([
    'guarantee.breaks-later acme/apart 2031-02-03 00:00 UTC',
  ])
})

test('each guarantee is told once, at its first moment, in order of time', () => {
  expect(
    ahead(
      [`${ping}, schedule: day`, `${ssh}, schedule: sunday`],
      '      day: { time-zone: UTC, windows: [{ from: "06:00", to: "22:00" }] }',
    ),
  ).toEqual([
    'guarantee.breaks-later acme/pings 2026-11-24 22:00 UTC',
    'guarantee.breaks-later acme/apart 2026-11-29 00:00 UTC',
  ])
})

test('what is broken now is told by the proof, not here; nothing timed, nothing to look at', () => {
  expect(ahead([ping, ssh, `${drop}, schedule: night`])).toEqual([])
  expect(ahead([ping])).toEqual([])
})

test('more sets of rules than may be proved are said to be so', () => {
  const rules = [1, 2, 3, 4].map(
    (n) => `name: r${n}, from: web, to: db, service: { tcp: ${n} }, action: allow, schedule: s${n}`,
  )
  const schedules = [1, 2, 3, 4]
    .map((n) => `      s${n}: { time-zone: UTC, windows: [{ from: "0${n}:00", to: "0${n}:30" }] }\n`)
    .join('')
  expect(ahead([ping, ...rules], schedules)).toEqual([])
  expect(ahead([ping, ...rules], schedules, { most: 2 })).toEqual(['guarantee.not-foreseen  2026-11-25 03:00 UTC'])
})
