// `inspect` of the driver with real nftables: what was loaded is found to be the plan, and what somebody changes is told at its endpoint.
import { makePlan, protocol, type LabEndpoint } from '@hyperward/datapath-testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import type { Realized } from './realized.ts'
import { createNftLab, type NftLab } from './testing/nft-lab.ts'

let lab: NftLab
let a: LabEndpoint
let b: LabEndpoint

beforeAll(async () => {
  lab = await createNftLab('hwnreal')
  a = await lab.addEndpoint(1, [])
  b = await lab.addEndpoint(2, [])
})
afterAll(() => lab.close())

const plan = makePlan({
  endpoints: [
    { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
    { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
  ],
  networks: [['10.0.0.0/8', 300]],
  services: [[protocol.tcp, 80, 80, 1]],
  verdicts: [
    ['egress', 100, 200, 1, 'allow', 'out'],
    ['ingress', 200, 100, 1, 'allow', 'in'],
    ['ingress', 200, 0, 1, 'drop', 'others'],
  ],
})
const taps = () => [a.attachment(), b.attachment()]
const nft = async (...argv: readonly string[]): Promise<void> => {
  const { code, stderr } = await lab.lab.exec(lab.host, 'nft', [...argv])
  expect([code, stderr]).toEqual([0, ''])
}

beforeEach(async () => {
  await lab.driver.verify()
  expect(await lab.driver.reconcile(plan, taps())).toMatchObject({ reason: null })
})

async function inspect(): Promise<Realized> {
  const read = await lab.driver.inspect(plan, taps())
  if (!read.known) throw new Error(read.reason)
  return read.value
}

test('what was loaded is the plan, also to a driver that took it over', async () => {
  for (const started of [false, true]) {
    if (started) expect(await lab.restart().reconcile(plan, taps())).toMatchObject({ reason: null })
    const { endpoints, tables } = await inspect()
    expect(endpoints).toMatchObject([
      { device: a.namespace.tap, rows: 1, findings: [] },
      { device: b.namespace.tap, rows: 2, findings: [] },
    ])
    expect(tables.map(({ table, rows, missing, surplus }) => [table, rows, missing, surplus])).toEqual([
      ['addresses', 4, 0, 0],
      ['networks', 1, 0, 0],
      ['services', 1, 0, 0],
      ['verdicts', 3, 0, 0],
    ])
  }
})

test('a guard that somebody emptied is told at its endpoint, a shared chain at all', async () => {
  await nft('flush', 'chain', 'bridge', 'hyperward_endpoint', `to_${b.ifindex}`)
  expect((await inspect()).endpoints.map(({ findings }) => findings)).toEqual([
    [],
    ['the guard of what reaches it differs'],
  ])
  await nft('add', 'rule', 'inet', 'hyperward_endpoint', 'judge_in', 'accept')
  expect((await inspect()).endpoints[0]?.findings).toEqual(['chain inet judge_in differs, for all'])
})

test('a verdict that somebody took out is counted as missing', async () => {
  await nft('flush', 'map', 'inet', 'hyperward_endpoint', 'egress_1')
  const { tables, endpoints } = await inspect()
  expect(tables.find(({ table }) => table === 'verdicts')).toMatchObject({ rows: 2, missing: 1, surplus: 0 })
  expect(endpoints[0]?.rows).toBe(0)
})

test('a tap without a guard is told', async () => {
  await lab.driver.reconcile(plan, [b.attachment()])
  expect((await inspect()).endpoints[0]?.findings).toEqual([
    'what was loaded last is not this plan',
    'the guard of what it sends differs',
    'the guard of what reaches it differs',
    'its tap is not in ports',
    'its tap is not in taps',
    'its address 10.9.0.1 is not held to be its own',
    'its address fd00:9::1 is not held to be its own',
    'its address fe80::ff:fe00:1 is not held to be its own',
  ])
})
