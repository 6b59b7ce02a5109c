import { type FlowRecord, type Inventory, parseAddress } from '@hyperward/model'
import { expect, test } from 'vitest'

import { parseInventory } from '../parse/parse-inventory.ts'
import { recommend } from './recommend.ts'

const inventory = readInventory()

test('a shop is told by its labels, ports are merged, and outside addresses are networks', () => {
  const { text } = recommend(inventory, shop(['10.0.0.11', '10.0.0.12', '10.0.0.14']), { generalize: 'exact' })
  expect(text)
    .toBe(`# Recommended from 9 recorded flows (90 connections). No two ends may talk that were not seen to, and with no other service.
apiVersion: hyperward/v1
kind: Policy

tenants:
  acme:
    groups:
      db: { names: [db] }
      web: { labels: {tier: web} }
      web-1: { names: [web-1] }
    policies:
      - policy: seen
        rules:
          # 60 connections in 6 flows, last 2026-11-02T00:00:00.000Z
          - name: web-to-db
            from: web
            to: db
            service: {tcp: [5432-5433]}
            action: allow
          # 30 connections in 3 flows, last 2026-11-02T00:00:00.000Z
          - name: outside-to-web-1
            from: [192.0.2.0/31, 192.0.2.9/32]
            to: web-1
            service: {tcp: [443]}
            direction: ingress
            action: allow
`)
})

test('a set of which a part was seen is generalized only when that part is asked to be enough', () => {
  const flows = shop(['10.0.0.11', '10.0.0.12'])
  const all = recommend(inventory, flows, { generalize: 'group', share: 1 }).text
  const half = recommend(inventory, flows, { generalize: 'group', share: 0.5 }).text
  expect(all).toContain('from: web-1-and-web-2\n            to: db')
  expect(half).toContain('from: web\n            to: db')
})

test('what was only ever refused is left out, and told, unless it is asked for', () => {
  const flows = [flow('10.0.0.11', '10.0.0.13', 22, 10)]
  expect(recommend(inventory, flows, { generalize: 'exact' })).toMatchObject({ rules: 0, refused: 1, records: 0 })
  expect(recommend(inventory, flows, { generalize: 'exact', includeRefused: true })).toMatchObject({ rules: 1 })
})

function shop(webs: readonly string[]): readonly FlowRecord[] {
  return [
    ...webs.flatMap((web) => [flow(web, '10.0.0.13', 5432), flow(web, '10.0.0.13', 5433)]),
    ...['192.0.2.0', '192.0.2.1', '192.0.2.9'].map((client) => flow(client, '10.0.0.11', 443)),
  ]
}

function flow(from: string, to: string, port: number, refused = 0): FlowRecord {
  const [source, destination] = [parseAddress(from), parseAddress(to)]
  if (source === null || destination === null) return expect.fail('the test world is malformed')
  const packet = { source, destination, protocol: 6, port }
  return { packet, count: 10, refused, first: '2026-11-01T00:00:00.000Z', last: '2026-11-02T00:00:00.000Z' }
}

function readInventory(): Inventory {
  const vm = (number: number, name: string, tier: string): string =>
    `  - {uuid: 00000000-0000-4000-8000-0000000000${number}, name: ${name}, host: h1, tenant: acme, labels: {tier: ${tier}}, endpoints: [{mac: "52:54:00:00:00:${number}", addresses: [10.0.0.${number}]}]}\n`
  const text = `apiVersion: hyperward/v1\nkind: Inventory\nhosts: [h1]\nvms:\n${vm(11, 'web-1', 'web')}${vm(12, 'web-2', 'web')}${vm(14, 'web-3', 'web')}${vm(13, 'db', 'db')}`
  const parsed = parseInventory(text, 'inventory.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}
