// lint, simulate and recommend with files; with a center in answers-against-center.test.ts
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCli } from './testing/run-cli.ts'

const inventoryText = `apiVersion: hyperward/v1
kind: Inventory
hosts: [one]
vms:
  - {uuid: 00000000-0000-4000-8000-000000000011, name: web-1, host: one, tenant: acme, labels: {tier: web}, endpoints: [{mac: "52:54:00:00:00:11", addresses: [10.0.0.11]}]}
  - {uuid: 00000000-0000-4000-8000-000000000012, name: web-2, host: one, tenant: acme, labels: {tier: web}, endpoints: [{mac: "52:54:00:00:00:12", addresses: [10.0.0.12]}]}
  - {uuid: 00000000-0000-4000-8000-000000000013, name: db, host: one, tenant: acme, labels: {tier: db}, endpoints: [{mac: "52:54:00:00:00:13", addresses: [10.0.0.13]}]}
`
const policyText = `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      web: {labels: {tier: web}}
      db: {labels: {tier: db}}
      old: {labels: {tier: cobol}}
    policies:
      - policy: shop
        rules:
          - {name: web-to-db, from: web, to: db, service: {tcp: [5432]}, action: allow}
          - {name: again, from: web, to: db, service: {tcp: [5432]}, action: allow}
          - {name: everything, from: any, to: any, action: allow, monitor: true}
`
let directory: string
let [policy, inventory, flows]: readonly [string, string, string] = ['', '', '']

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hwi-advise-'))
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name)
    await writeFile(path, text)
    return path
  }
  policy = await write('policy.yaml', policyText)
  inventory = await write('inventory.yaml', inventoryText)
  const records = [
    flow(1, '10.0.0.11', '10.0.0.13', 5432),
    flow(2, '10.0.0.12', '10.0.0.13', 5432),
    flow(3, '10.0.0.11', '10.0.0.13', 22),
    flow(4, '198.51.100.7', '10.0.0.11', 443),
  ]
  flows = await write('flows.json', JSON.stringify({ flows: records }, null, 2))
  await write('followed.ndjson', records.map((one) => `${JSON.stringify({ type: 'flow', flow: one })}\n`).join(''))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('lint tells each finding with its place, and --exit-code ends with 1', async () => {
  const { code, stdout } = await runCli(['lint', policy, '--inventory', inventory, '--exit-code'])
  expect(code).toBe(1)
  expect(stdout).toContain('policy.yaml:13:')
  expect(stdout).toContain('[lint.shadowed]: The rule acme/shop/again never decides: acme/shop/web-to-db before it')
  expect(stdout).toContain('lint.empty-group')
  expect(stdout).toContain('lint.monitor-forgotten')
  const quiet = await runCli(['lint', policy, '--inventory', inventory, '--lang', 'zh-CN'])
  expect([quiet.code, quiet.stdout]).toEqual([0, expect.stringContaining('永远不会作出决定')])
})

test('lint tells unused rules from counters', async () => {
  const hits = join(directory, 'rules.json')
  const rule = (name: string, count: number): object => ({
    rule: { ref: `tenant:acme/shop/${name}`, tier: 'tenant', tenant: 'acme', policy: 'shop', name },
    action: 'allow',
    hits: count,
    packets: count,
    bytes: count,
    lastHitAt: null,
  })
  await writeFile(hits, JSON.stringify({ revision: 3, rules: [rule('web-to-db', 0)] }))
  const { stdout } = await runCli(['lint', policy, '--inventory', inventory, '--hits', hits, '--json'])
  const { findings } = JSON.parse(stdout) as {
    readonly findings: readonly { readonly code: string; readonly path: string }[]
  } // as: asserted below
  expect(findings).toContainEqual(
    expect.objectContaining({ code: 'lint.unused-rule', path: 'tenant:acme/shop/web-to-db' }),
  )
})

test('simulate tells what breaks, how often and whom, worst first', async () => {
  const { code, stdout } = await runCli(['simulate', policy, '--inventory', inventory, '--flows', flows, '--exit-code'])
  expect(code).toBe(1)
  expect(stdout).toContain('6 connections in 4 kinds replayed.')
  expect(stdout).toContain('4 would break, 0 would be opened')
  expect(stdout).toMatch(/breaks +acme\/web-1 +acme\/db +tcp\/22 +3 +passed +drop – /)
  expect(stdout).toMatch(/breaks +198\.51\.100\.7 +acme\/web-1 +tcp\/443/)
  const same = await runCli(['simulate', policy, '--against', policy, '--inventory', inventory, '--flows', flows])
  expect([same.code, same.stdout]).toEqual([0, expect.stringContaining('No connection changes its verdict.')])
})

test('recommend prints a document that lint, simulate and explain take', async () => {
  const { code, stdout, stderr } = await runCli(['recommend', '--inventory', inventory, '--flows', flows])
  expect([code, stderr]).toEqual([0, '3 rules allow 6 connections in 4 recorded flows.\n'])
  expect(stdout).toContain('from: web\n')
  const recommended = join(directory, 'recommended.yaml')
  await writeFile(recommended, stdout)
  const followed = join(directory, 'followed.ndjson')
  const replayed = await runCli(['simulate', recommended, '--inventory', inventory, '--flows', followed, '--exit-code'])
  expect([replayed.code, replayed.stdout]).toEqual([0, expect.stringContaining('No connection changes its verdict.')])
  const explained = ['explain', 'web-2', 'db', 'tcp/22', '--policy', recommended, '--inventory', inventory]
  expect((await runCli([...explained, '--expect', 'drop'])).code).toBe(0)
})

test('a file that is something else ends with 3, and says what it is not', async () => {
  for (const path of [inventory, policy]) {
    const { code, stdout, stderr } = await runCli(['recommend', '--inventory', inventory, '--flows', path])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toContain('error[cli.records-unreadable]')
  }
  const broken = join(directory, 'broken.json')
  await writeFile(broken, JSON.stringify({ type: 'flow', flow: { id: 1 } }))
  expect((await runCli(['recommend', '--inventory', inventory, '--flows', broken])).code).toBe(3)
})

test.each([
  [['simulate', 'p.yaml', '--flows', 'f'], '--inventory'],
  [['simulate', '--inventory', 'i', '--flows', 'f'], 'FILE'],
  [['recommend', '--inventory', 'i'], '--flows'],
  [['recommend', '--inventory', 'i', '--flows', 'f', '--share', '50'], '--generalize group'],
  [['lint', 'p.yaml', '--hits', 'h'], '--inventory'],
])('%j is told what it lacks', async (argv, lacking) => {
  const given = argv.map((word) => ({ i: inventory, f: flows })[word] ?? word)
  const { code, stderr } = await runCli(given)
  expect([code, stderr.split('\n')[0]]).toEqual([2, expect.stringContaining(lacking)])
})

function flow(id: number, source: string, destination: string, destinationPort: number): object {
  const tuple = { source, destination, protocol: 6, sourcePort: 40_000 + id, destinationPort }
  return {
    id,
    at: `2026-11-01T00:00:0${id}.000Z`,
    host: 'one',
    kind: 'flow-start',
    endpoint: '00000000-0000-4000-8000-000000000011/52:54:00:00:00:11',
    vmName: 'web-1',
    tenant: 'acme',
    direction: 'egress',
    action: 'allow',
    reason: null,
    rule: 'tenant:acme/shop/web-to-db',
    tuple,
    sourceMac: null,
    packets: 1,
    bytes: 60,
    suppressed: destinationPort === 22 ? 2 : 0,
  }
}
