// What one agent can make of everybody's plans, and of the center's memory, is bounded.
import { reportLimits, type ReportedVm } from '@hyperward/protocol'
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent } from './testing/test-agent.ts'
import { startTestCenter, type TestCenter } from './testing/test-center.ts'

let server: TestServer
let center: TestCenter

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
afterEach(() => center.remove())

const problem = async (): Promise<string> => (await center.call('GET', '/v1/status')).body.inventoryProblem

function fatVm(n: number, endpoints: number, addresses: number): ReportedVm {
  const hex = n.toString(16).padStart(4, '0')
  return {
    ...sampleVm(n, 'web'),
    endpoints: Array.from({ length: endpoints }, (_, at) => ({
      mac: `52:54:${hex.slice(0, 2)}:${hex.slice(2)}:01:${at.toString(16).padStart(2, '0')}`,
      addresses: Array.from(
        { length: addresses },
        (_each, k) => `fd00:${hex}:${at.toString(16)}::${(k + 1).toString(16)}`,
      ),
    })),
  }
}

test('a VM with too many interfaces or addresses is clipped and told; its host stays connected and the others whole', async () => {
  center = await startTestCenter({ storeUrl: await server.createDatabase() })
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([fatVm(1, 70, 1), fatVm(2, 1, 20), sampleVm(3, 'db')])
  await center.center.services.publisher.settled()
  const { endpoints } = (await center.call('GET', '/v1/endpoints')).body
  const of = (n: number) => endpoints.filter((each: { vm: { uuid: string } }) => each.vm.uuid === sampleVm(n, '').uuid)
  expect([of(1).length, of(2)[0].addresses.length, of(3)[0].addresses]).toEqual([64, 16, ['10.0.0.3']])
  for (const said of ['70 interfaces', '16 of 20 addresses']) expect(await problem()).toContain(said)
  const { events } = (await center.call('GET', '/v1/events?kind=vm-metadata')).body
  expect(events).toHaveLength(2)
  await agent.reportInventory([sampleVm(3, 'db')])
  await center.center.services.publisher.settled()
  expect(await problem()).toBe(null)
  await agent.close()
})

test('a host has so many VMs and addresses and no more', async () => {
  center = await startTestCenter({ storeUrl: await server.createDatabase() })
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  const { vmsPerHost, addressesPerHost } = reportLimits
  await agent.reportInventory(Array.from({ length: vmsPerHost + 5 }, (_, at) => fatVm(at + 1, 1, 3)))
  await center.center.services.publisher.settled()
  const { endpoints } = (await center.call('GET', '/v1/endpoints')).body
  expect(endpoints).toHaveLength(vmsPerHost)
  const addresses = endpoints.flatMap((each: { addresses: string[] }) => each.addresses)
  expect(addresses).toHaveLength(addressesPerHost)
  expect(await problem()).toContain(`5 VMs beyond the ${vmsPerHost}`)
  await agent.close()
})

test('a plan larger than an agent takes is refused with its size, by publish and by inventory; former plans stay', async () => {
  center = await startTestCenter({ storeUrl: await server.createDatabase(), maxPlanBytes: 12_000 })
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  expect((await center.call('POST', '/v1/policy/publish', {})).status).toBe(200)
  const held = await agent.expectPlan()
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db'), fatVm(3, 64, 16)])
  await center.center.services.publisher.settled()
  expect(await problem()).toMatch(/the plan of host-1 has \d+ bytes/)
  await center.call('PUT', '/v1/policy/draft', samplePolicy(80))
  const refused = await center.call('POST', '/v1/policy/publish', {})
  expect(refused).toMatchObject({ status: 409, body: { code: 'policy.plan-too-large', details: { host: 'host-1' } } })
  expect((await center.call('GET', '/v1/status')).body.revision).toBe(held.revision)
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await center.center.services.publisher.settled()
  expect(await problem()).toBe(null)
  expect(agent.announced).toEqual([held.revision])
  await agent.close()
})

test('many large reports at once are all worked on, though few of them wait in memory', async () => {
  center = await startTestCenter({ storeUrl: await server.createDatabase(), channel: { maxUnworkedBytes: 1 } })
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  const vms = Array.from({ length: 200 }, (_, at) => fatVm(at + 1, 4, 16))
  await Promise.all(Array.from({ length: 12 }, () => agent.reportInventory(vms)))
  await agent.close()
})
