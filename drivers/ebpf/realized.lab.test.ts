// `inspect` of the driver in the real kernel: what is loaded is found to be the plan, and each thing changed behind our back is told at its endpoint.
import { makePlan, protocol, type PlanVerdict } from '@hyperward/datapath-testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import type { Realized } from './realized.ts'
import { createDatapathLab, type DatapathLab, type LabEndpoint } from './testing/datapath-lab.ts'

let lab: DatapathLab
let a: LabEndpoint
let b: LabEndpoint

beforeAll(async () => {
  lab = await createDatapathLab('hwereal')
  a = await lab.addEndpoint(1, [])
  b = await lab.addEndpoint(2, [])
})
afterAll(() => lab.close())

const verdicts: readonly PlanVerdict[] = [
  ['egress', 100, 200, 1, 'allow', 'out'],
  ['ingress', 200, 100, 1, 'allow', 'in'],
  ['ingress', 200, 0, 1, 'drop', 'others'],
]
const planOf = (rows: readonly PlanVerdict[]) =>
  makePlan({
    endpoints: [
      { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
      { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
    ],
    networks: [['10.0.0.0/8', 300]],
    services: [[protocol.tcp, 80, 80, 1]],
    verdicts: rows,
  })
const plan = planOf(verdicts)
const taps = () => [a.attachment(), b.attachment()]

beforeEach(async () => {
  expect(await lab.driver.reconcile(plan, taps())).toMatchObject({ reason: null })
})

async function inspect(wanted = plan): Promise<Realized> {
  const read = await lab.driver.inspect(wanted, taps())
  if (!read.known) throw new Error(read.reason)
  return read.value
}

test('what was loaded is the plan, also to a driver that took it over', async () => {
  for (const started of [false, true]) {
    if (started) expect(await lab.restart().reconcile(plan, taps())).toMatchObject({ generation: 'kept' })
    const { endpoints, tables } = await inspect()
    expect(endpoints).toMatchObject([
      { device: a.namespace.tap, rows: 1, findings: [] },
      { device: b.namespace.tap, rows: 2, findings: [] },
    ])
    const same = { missing: 0, surplus: 0, different: 0 }
    expect(tables).toEqual([
      { table: 'addresses', rows: 4, ...same },
      { table: 'networks', rows: 1, ...same },
      { table: 'services', rows: 1, ...same },
      { table: 'verdicts', rows: 3, ...same },
    ])
  }
})

test('a filter that is gone is told at its endpoint only', async () => {
  await lab.lab.exec(lab.host, 'tc', ['filter', 'delete', 'dev', a.namespace.tap, 'ingress'])
  const { endpoints } = await inspect()
  expect(endpoints.map(({ findings }) => findings)).toEqual([['no filter on ingress'], []])
  // it only looked: the next check finds the same and has it repaired
  expect(await lab.driver.verify()).toMatchObject({ value: { drift: [`${a.namespace.tap}: no filter on ingress`] } })
})

test('another verdict, another rule behind the same verdict, a row too many and a row too few are told where they concern somebody', async () => {
  const wanted = planOf([
    ['egress', 100, 200, 1, 'drop', 'out'],
    ['ingress', 200, 100, 1, 'allow', 'renamed'],
    ['ingress', 200, 100, 0, 'allow', 'in'],
  ])
  const { endpoints, tables } = await inspect(wanted)
  expect(endpoints.map(({ findings }) => findings)).toEqual([
    ['1 of its verdicts are not those of the plan'],
    ['3 of its verdicts are not those of the plan'],
  ])
  expect(tables.find(({ table }) => table === 'verdicts')).toEqual({
    table: 'verdicts',
    rows: 3,
    missing: 1,
    surplus: 1,
    different: 2,
  })
})

test('an interface the programs do not know passes nothing, and that is said', async () => {
  await lab.driver.reconcile(plan, [b.attachment()])
  const { endpoints } = await inspect()
  expect(endpoints[0]?.findings).toEqual([
    'no filter on ingress',
    'the programs do not know this interface: nothing passes',
    'its address 10.9.0.1 is not held to be its own',
    'its address fd00:9::1 is not held to be its own',
  ])
  expect(endpoints[1]?.findings).toEqual([])
})

test('without a plan every interface should be closed', async () => {
  const read = await lab.driver.inspect(null, taps())
  expect(read).toMatchObject({ known: true, value: { tables: [] } })
  expect(read.known ? read.value.endpoints[0]?.findings : null).toContain('it is open, and should be closed')
})
