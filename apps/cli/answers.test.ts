// prove, reach and diff with files
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCli } from './testing/run-cli.ts'

const vm = (name: string, number: number, tenant: string, tier: string): string =>
  `  - {uuid: 00000000-0000-4000-8000-0000000000${number}, name: ${name}, host: one, tenant: ${tenant}, labels: {tier: ${tier}}, endpoints: [{mac: "52:54:00:00:00:${number}", addresses: [10.0.0.${number}]}]}\n`
const inventoryHead = 'apiVersion: hyperward/v1\nkind: Inventory\nhosts: [one]\nvms:\n'
const vms = [
  vm('web-1', 11, 'acme', 'web'),
  vm('web-2', 12, 'acme', 'web'),
  vm('db', 13, 'acme', 'db'),
  vm('spy', 14, 'globex', 'web'),
]
const policyText = `apiVersion: hyperward/v1
kind: Policy
provider:
  groups:
    watch: {networks: [192.0.2.0/24]}
    spies: {tenants: [globex]}
    databases: {tenants: [acme], labels: {tier: db}}
  guarantees:
    - {name: tenants-apart, never: {from: spies, to: databases}}
    - {name: watched, always: {from: watch, to: any, service: {tcp: [9100]}}}
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
          - {name: watch, from: provider/watch, to: any, service: {tcp: [9100]}, action: allow}
    guarantees:
      - {name: nothing, never: {from: old, to: any}}
  globex:
    policies: []
`
let directory: string
let [policy, opened, inventory, moved]: readonly [string, string, string, string] = ['', '', '', '']

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hwi-answers-'))
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name)
    await writeFile(path, text)
    return path
  }
  policy = await write('policy.yaml', policyText)
  const wide = '          - {name: wide, from: any, to: db, action: allow}\n'
  opened = await write(
    'opened.yaml',
    policyText
      .replace('          - {name: watch,', `${wide}          - {name: watch,`)
      .replace(
        '    policies: []',
        '    policies:\n      - policy: out\n        rules:\n          - {name: out, from: any, to: any, direction: egress, action: allow}',
      ),
  )
  inventory = await write('inventory.yaml', inventoryHead + vms.join(''))
  moved = await write('moved.yaml', inventoryHead + [...vms.slice(0, 3), vm('spy', 14, 'acme', 'web')].join(''))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('prove tells what holds, what is broken by which connection, and what speaks of nothing', async () => {
  const { code, stdout, stderr } = await runCli(['prove', opened, '--inventory', inventory])
  expect(code).toBe(1)
  expect(stdout).toMatch(/^broken {2}provider \/ tenants-apart \(never\) – 1 pairs/m)
  expect(stdout).toContain('globex/spy (10.0.0.14) → acme/db (10.0.0.13)')
  expect(stdout).toContain('ingress: allow – acme / shop / wide')
  expect(stdout).toMatch(/^broken {2}provider \/ watched \(always\)/m)
  expect(stdout).toMatch(/^holds {2}acme \/ nothing \(never\) – it speaks of no packet/m)
  expect(stderr).toContain('2 of 3 guarantees do not hold')
})

test('prove ends well where every guarantee holds, and prints the form of the API', async () => {
  const alone = join(directory, 'alone.yaml')
  await writeFile(alone, policyText.replace(/ {4}- \{name: watched.*\n/, ''))
  const { code, stdout } = await runCli(['prove', alone, '--inventory', inventory, '--json'])
  const { guarantees } = JSON.parse(stdout) as { guarantees: readonly { holds: boolean; vacuous: boolean }[] } // as: what the command promises
  expect([code, guarantees.map(({ holds, vacuous }) => [holds, vacuous])]).toEqual([
    0,
    [
      [true, false],
      [true, true],
    ],
  ])
})

test('reach tells who can reach a VM and whom it can, by group, service and rule', async () => {
  const { code, stdout } = await runCli(['reach', 'db', policy, '--inventory', inventory])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^acme\/web +tcp 5432 +allow +acme \/ shop \/ web-to-db +acme \/ shop \/ web-to-db$/m)
  expect(stdout).toMatch(/^provider\/watch +tcp 9100 +allow +– +acme \/ shop \/ watch$/m)
  expect(stdout.split('Whom db')[1]).toContain('Nobody.')
  const outside = await runCli(['reach', '192.0.2.9', policy, '--inventory', inventory, '--json'])
  const { outgoing } = JSON.parse(outside.stdout) as { outgoing: readonly { services: readonly string[] }[] } // as: what the command promises
  expect(outgoing.map(({ services }) => services)).toEqual([['tcp 9100']])
})

test('reach of a VM that is not there is refused with the nearest name', async () => {
  const { code, stderr } = await runCli(['reach', 'dv', policy, '--inventory', inventory])
  expect([code, stderr]).toEqual([1, expect.stringContaining('"db"')])
})

test('diff of one policy under two inventories tells what a VM’s new place opens', async () => {
  const { code, stdout } = await runCli([
    'diff',
    policy,
    '--inventory',
    moved,
    '--against-inventory',
    inventory,
    '--exit-code',
  ])
  expect(code).toBe(1)
  expect(stdout).toMatch(/opened +acme\/spy +acme\/db +tcp 5432 +drop – .* +allow – acme \/ shop \/ web-to-db/)
  expect(stdout).toContain('The rules are the same.')
})
