import { readFileSync } from 'node:fs'

import type { Inventory, Policy } from '@hyperward/model'
import { expect, test } from 'vitest'

import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import { diffPolicies } from './diff-policies.ts'

function toPolicy(text: string): Policy {
  const parsed = parsePolicy(text, 'p.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}

function demo(file: string): Policy {
  return toPolicy(readFileSync(new URL(`../testing/${file}`, import.meta.url), 'utf8'))
}

const demoInventory = `apiVersion: hyperward/v1
kind: Inventory
hosts: [one, two]
vms:
  - {uuid: 00000000-0000-4000-8000-000000000001, name: web, host: one, tenant: acme, labels: {app: shop, tier: web}, endpoints: [{mac: "52:54:00:00:00:01", addresses: [10.20.0.11, "fd00:20::11"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000002, name: app, host: two, tenant: acme, labels: {app: shop, tier: app}, endpoints: [{mac: "52:54:00:00:00:02", addresses: [10.20.0.12, "fd00:20::12"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000003, name: db, host: one, tenant: acme, labels: {app: shop, tier: db}, endpoints: [{mac: "52:54:00:00:00:03", addresses: [10.20.0.13, "fd00:20::13"]}]}
`

function readDemoInventory(): Inventory {
  const parsed = parseInventory(demoInventory, 'inventory.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}

test('a change of the shop is told as two entries: what is opened and what is closed', () => {
  const inventory = readDemoInventory()
  const diff = diffPolicies(
    resolve(demo('shop.policy.yaml'), inventory),
    resolve(demo('shop-changed.policy.yaml'), inventory),
  )
  const told = diff.entries.map(({ sources, destinations, services, before, after }) => [
    sources.flatMap((party) => party.vms),
    destinations.flatMap((party) => party.vms),
    services.texts,
    `${before.action} by ${before.rule}`,
    `${after.action} by ${after.rule}`,
  ])
  expect(told).toEqual([
    [
      ['acme/web'],
      ['acme/app'],
      ['tcp 22'],
      'drop by baseline:/defaults/nothing-else-leaves',
      'allow by tenant:acme/shop/web-logs-in-to-app',
    ],
    [
      ['acme/app'],
      ['acme/db'],
      ['tcp 5432'],
      'allow by tenant:acme/shop/app-to-db',
      'drop by tenant:acme/shop/app-lost-the-db',
    ],
  ])
  expect([diff.total, diff.pairs]).toEqual([2, 2])
})

test('what opens is told before what closes, and the counts are of all', () => {
  const inventory = readDemoInventory()
  const [one, other] = [demo('shop.policy.yaml'), demo('shop-changed.policy.yaml')].map((policy) =>
    resolve(policy, inventory),
  )
  if (one === undefined || other === undefined) return expect.fail('two policies')
  const severitiesOf = (limit: number) =>
    diffPolicies(one, other, { entries: limit }).entries.map((entry) => entry.severity)
  expect(severitiesOf(10)).toEqual(['opened', 'closed'])
  // the other way round the same connections close and open
  expect(diffPolicies(other, one).entries.map(({ severity, from, to }) => [severity, from.groups, to.groups])).toEqual([
    ['opened', ['acme/app'], ['acme/db']],
    ['closed', ['acme/web'], ['acme/app']],
  ])
})

test('pairs beyond the limit are said to be unchecked, never left out in silence', () => {
  const inventory = readDemoInventory()
  const none = diffPolicies(
    resolve(demo('shop.policy.yaml'), inventory),
    resolve(demo('shop-changed.policy.yaml'), inventory),
    { pairs: 0 },
  )
  expect([none.entries, none.unchecked > 0]).toEqual([[], true])
})

test('a policy does not differ from itself', () => {
  const inventory = readDemoInventory()
  const diff = diffPolicies(resolve(demo('shop.policy.yaml'), inventory), resolve(demo('shop.policy.yaml'), inventory))
  expect(diff).toEqual({ entries: [], total: 0, pairs: 0, unchecked: 0 })
})

test('more entries than the limit are counted, not listed', () => {
  const inventory = readDemoInventory()
  const diff = diffPolicies(
    resolve(demo('shop.policy.yaml'), inventory),
    resolve(demo('shop-changed.policy.yaml'), inventory),
    { entries: 1 },
  )
  expect([diff.entries.map((entry) => entry.severity), diff.total]).toEqual([['opened'], 2])
})
