// No host takes from another by claiming: VMs, addresses and MACs stay with whoever had them first, and it is told.
import type { ReportedVm } from '@hyperward/protocol'
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { lapseClaims } from './services/lapse-claims.ts'
import { sampleAddress, samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent, type TestAgent } from './testing/test-agent.ts'
import { startTestCenter, type TestCenter } from './testing/test-center.ts'

let server: TestServer
let storeUrl: string
let center: TestCenter
let shift: { ms: number }
let owner: TestAgent
let other: TestAgent

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
beforeEach(async () => {
  storeUrl = await server.createDatabase()
  shift = { ms: 0 }
  center = await startTestCenter({ storeUrl, clock: () => new Date(Date.now() + shift.ms) })
  owner = await connectAgent(center.url, await center.enroll('host-1'))
  other = await connectAgent(center.url, await center.enroll('host-2'))
  await owner.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  await center.call('POST', '/v1/policy/publish', {})
})
afterEach(async () => {
  await Promise.all([owner.close(), other.close()])
  await center.remove()
})

interface Seen {
  readonly mac: string
  readonly addresses: readonly string[]
}

/** VM name → its endpoint, in the latest plan of the host. */
async function planned(host: string): Promise<Record<string, Seen>> {
  const { publisher } = center.center.services
  await publisher.settled()
  const { digest = '' } = publisher.hosts.find(host) ?? {}
  const plan = await publisher.hosts.served(host, digest)
  const chunks = await plan?.readChunks(plan.sections.endpoints.chunks.map((chunk) => chunk.digest))
  const endpoints: (Seen & { vmName: string })[] = (chunks ?? []).flatMap((chunk) => JSON.parse(chunk.body))
  return Object.fromEntries(endpoints.map(({ vmName, mac, addresses }) => [vmName, { mac, addresses }]))
}

async function told(kind: string): Promise<{ host: string; message: string }[]> {
  return (await center.call('GET', `/v1/events?kind=${kind}`)).body.events
}

const problem = async (): Promise<string | null> => (await center.call('GET', '/v1/status')).body.inventoryProblem

function withEndpoint(n: number, mac: string, addresses: string[]): ReportedVm {
  return { ...sampleVm(n, 'web'), endpoints: [{ mac, addresses }] }
}

test('a host that claims another host’s VM does not get it; it goes over when the owner lets it go', async () => {
  const before = await planned('host-1')
  await other.reportInventory([sampleVm(2, 'db')])
  expect(await planned('host-1')).toEqual(before)
  expect(await planned('host-2')).toEqual({})
  expect(await told('inventory-contested')).toMatchObject([
    { host: 'host-2', message: expect.stringContaining('host-1') },
  ])
  expect(await problem()).toContain(sampleVm(2, '').uuid)
  expect(await told('vm-moved')).toEqual([])
  // the same claim again is not told again
  await other.reportInventory([sampleVm(2, 'db'), sampleVm(3, 'web')])
  await planned('host-2')
  expect(await told('inventory-contested')).toHaveLength(1)
  // as the source of a migration does
  await owner.reportInventory([sampleVm(1, 'web')])
  expect(Object.keys(await planned('host-1'))).toEqual(['web-1'])
  expect(Object.keys(await planned('host-2'))).toEqual(['db-2', 'web-3'])
  expect(await told('vm-moved')).toMatchObject([{ host: 'host-2' }])
  expect(await problem()).toBe(null)
})

test('the owner stays the owner over a restart of the center, though the other’s VM is the older', async () => {
  const mac = '52:54:00:00:00:99'
  await other.reportInventory([withEndpoint(9, mac, [])])
  shift.ms += 1000
  await owner.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db'), sampleVm(3, 'db')])
  // an older VM that takes a younger one's address
  await other.reportInventory([withEndpoint(9, mac, [sampleAddress(3)]), sampleVm(2, 'db')])
  const before = [await planned('host-1'), await planned('host-2')]
  expect(before[0]?.['db-3']?.addresses).toEqual([sampleAddress(3)])
  expect(before[1]).toEqual({ 'web-9': { mac, addresses: [] } })
  await center.stop()
  center = await startTestCenter({ storeUrl, data: center.data })
  expect([await planned('host-1'), await planned('host-2')]).toEqual(before)
})

test('a host that is removed, or silent for long, keeps no VM from the one that has it', async () => {
  await other.reportInventory([sampleVm(2, 'db')])
  const { services } = center.center
  await owner.close()
  shift.ms += 4 * 60_000
  await lapseClaims(services)
  expect(await planned('host-2')).toEqual({})
  shift.ms += 2 * 60_000
  await lapseClaims(services)
  expect(Object.keys(await planned('host-2'))).toEqual(['db-2'])
  expect(Object.keys(await planned('host-1'))).toEqual(['web-1'])
  // web-1 is contested too, and its host is removed
  await other.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  expect(Object.keys(await planned('host-2'))).toEqual(['db-2'])
  await center.call('DELETE', '/v1/hosts/host-1')
  expect(Object.keys(await planned('host-2'))).toEqual(['web-1', 'db-2'])
})

test('an address stays with the endpoint that had it first, also through a migration, unless the administrator says otherwise', async () => {
  const mac = '52:54:00:00:00:99'
  const claim = withEndpoint(9, mac, [sampleAddress(2), '10.9.9.9'])
  await other.reportInventory([claim])
  expect((await planned('host-1'))['db-2']?.addresses).toEqual([sampleAddress(2)])
  expect(await planned('host-2')).toEqual({ 'web-9': { mac, addresses: ['10.9.9.9'] } })
  expect(await problem()).toContain(`address ${sampleAddress(2)}`)
  expect(await told('inventory-contested')).toMatchObject([
    { host: 'host-2', message: expect.stringContaining('host-1') },
  ])
  // the VM moves, and takes its address along before the one that waits
  await other.reportInventory([claim, sampleVm(2, 'db')])
  await owner.reportInventory([sampleVm(1, 'web')])
  const moved = await planned('host-2')
  expect([moved['db-2']?.addresses, moved['web-9']?.addresses]).toEqual([[sampleAddress(2)], ['10.9.9.9']])
  // the administrator's word
  await center.call('PATCH', `/v1/vms/${sampleVm(9, '').uuid}`, { addresses: { [mac]: [sampleAddress(2)] } })
  const said = await planned('host-2')
  expect([said['db-2']?.addresses, said['web-9']?.addresses]).toEqual([[], [sampleAddress(2)]])
  await center.call('PATCH', `/v1/vms/${sampleVm(9, '').uuid}`, { addresses: null })
  const back = await planned('host-2')
  expect([back['db-2']?.addresses, back['web-9']?.addresses]).toEqual([[sampleAddress(2)], ['10.9.9.9']])
})

test.each(['one host', 'two hosts'])(
  'of two VMs of %s with one MAC the later stays closed, and it is told',
  async (where) => {
    const mac = sampleVm(2, '').endpoints[0]?.mac ?? ''
    const twin = withEndpoint(9, mac, ['10.9.9.9'])
    if (where === 'one host') await owner.reportInventory([twin, sampleVm(1, 'web'), sampleVm(2, 'db')])
    else await other.reportInventory([twin])
    expect(Object.keys(await planned('host-1'))).toEqual(['web-1', 'db-2'])
    expect(await planned('host-2')).toEqual({})
    expect(await problem()).toContain(`MAC ${mac} belongs to db-2`)
    expect(await told('inventory-contested')).toHaveLength(1)
  },
)

test('nobody takes the link-local address that another’s MAC makes', async () => {
  const mac = '52:54:00:00:00:99'
  await other.reportInventory([withEndpoint(9, mac, ['fe80::5054:ff:fe00:2', 'fe80::5054:ff:fe00:3'])])
  // made later, its own all the same
  await owner.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db'), sampleVm(3, 'db')])
  expect(await planned('host-2')).toEqual({ 'web-9': { mac, addresses: [] } })
  const body = owner.plans.at(-1)?.body ?? ''
  for (const n of [2, 3]) expect(body).toContain(`"fe80::5054:ff:fe00:${n}"`)
})
