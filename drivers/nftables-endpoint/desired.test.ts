import { endpointId, makePlan } from '@hyperward/datapath-testkit'
import { expect, test } from 'vitest'

import { toDesired, type Attachment } from './desired.ts'

const plan = makePlan({
  endpoints: [
    { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', '10.9.0.7'] },
    { number: 2, tenant: 'globex', identity: 200, addresses: ['10.9.0.2', '10.9.0.7'] },
  ],
  networks: [
    ['fe80::/10', 300],
    ['fe80::/64', 400],
  ],
})

function attachment(number: number, over: Partial<Attachment> = {}): Attachment {
  return { endpoint: endpointId(number), ifindex: 10 + number, device: `vnet${number}`, segment: 5, ...over }
}

test('a port has its addresses and its link-local one, and each its identity and the tenant’s zone', () => {
  const { ports, local } = toDesired(plan, [attachment(1)])
  expect(ports).toMatchObject([{ closed: false, addresses: ['10.9.0.1', '10.9.0.7', 'fe80::ff:fe00:1'] }])
  expect(local).toEqual([
    { address: '10.9.0.1', zone: 1, identity: 100 },
    { address: '10.9.0.7', zone: 1, identity: expect.any(Number) },
    { address: 'fe80::ff:fe00:1', zone: 1, identity: 400 },
  ])
})

test('an address that two claim is one’s alone', () => {
  const { ports } = toDesired(plan, [attachment(1), attachment(2)])
  expect(ports.map(({ addresses }) => addresses.includes('10.9.0.7' as never))).toEqual([true, false])
})

test.each([
  ['this host has no plan', null, {}],
  ['the plan does not name this endpoint', plan, { endpoint: endpointId(9) }],
  ['the tap is on no bridge, where the nftables driver cannot guard it', plan, { segment: 0 }],
] as const)('a port that cannot open is guarded and closed: %s', (reason, wanted, over) => {
  const { ports, local, closedBecause } = toDesired(wanted, [attachment(1, over)])
  expect(ports).toMatchObject([{ closed: true, addresses: [] }])
  expect(local).toEqual([])
  expect([...closedBecause.values()]).toEqual([reason])
})

test('a second tap of one endpoint stays closed', () => {
  const { ports, closedBecause } = toDesired(plan, [attachment(1), attachment(1, { ifindex: 20, device: 'vnet9' })])
  expect(ports.map(({ closed }) => closed)).toEqual([false, true])
  expect(closedBecause.get(20)).toBe('the endpoint is attached to another tap too')
})

test('two endpoints with one MAC: the second stays closed', () => {
  const { sections } = plan
  const [one, two] = sections.endpoints
  if (one === undefined || two === undefined) throw new Error('two endpoints')
  const twins = { ...plan, sections: { ...sections, endpoints: [one, { ...two, mac: one.mac }] } }
  const { closedBecause } = toDesired(twins, [attachment(1), attachment(2)])
  expect([...closedBecause]).toEqual([[12, 'its MAC is another endpoint’s too']])
})

test('a name that would say something in nft’s language gets no chain', () => {
  for (const device of ['x";}#', 'a b', '', 'vnet1\n']) {
    const { ports, closedBecause } = toDesired(plan, [attachment(1, { device })])
    expect([ports, closedBecause.size]).toEqual([[], 1])
  }
})
