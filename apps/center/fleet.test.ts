// A hundred hosts as models with state, over real connections: a publish reaches all, and only those concerned are told of a change.
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent, type TestAgent } from './testing/test-agent.ts'
import { startTestCenter, type TestCenter } from './testing/test-center.ts'

const hosts = 100
let server: TestServer
let center: TestCenter
const agents: TestAgent[] = []

beforeAll(async () => {
  server = await startTestServer()
  center = await startTestCenter({ storeUrl: await server.createDatabase() })
  for (let n = 1; n <= hosts; n += 1) {
    const agent = await connectAgent(center.url, await center.enroll(`host-${n}`))
    await agent.reportInventory([sampleVm(2 * n, 'web'), sampleVm(2 * n + 1, 'db')])
    agents.push(agent)
  }
}, 60_000)
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()))
  await center.remove()
  await server.stop()
}, 60_000)

test('a publish is in force at every host within seconds, and the center knows it', async () => {
  await center.call('PUT', '/v1/policy/draft', samplePolicy(5432))
  await center.call('POST', '/v1/policy/publish', {})
  await center.call('PUT', '/v1/policy/draft', samplePolicy(5433))
  const { revision } = (await center.call('POST', '/v1/policy/publish', {})).body
  const read = async () => (await center.call('GET', `/v1/policy/publications/${revision}`)).body
  await expect.poll(async () => (await read()).inForce, { timeout: 15_000 }).toBe(true)
  const times = (await read()).hosts.map((host: { sincePublishMs: number }) => host.sincePublishMs)
  expect(times).toHaveLength(hosts)
  // two cores carry the center, its database and all hundred hosts here, beside other work
  expect(Math.max(...times)).toBeLessThan(4000)
  process.stdout.write(`  announce to applied, ${hosts} hosts: last after ${Math.max(...times)} ms\n`)
})

test('one host’s new VM is told to the hosts whose plan it changes, once', async () => {
  const before = agents.map((agent) => agent.announced.length)
  const one = agents[0]
  if (one === undefined) throw new Error('no agents')
  // a VM without a tenant is in nobody's plan
  await one.reportInventory([sampleVm(2, 'web'), sampleVm(3, 'db'), sampleVm(5000, 'web', null)])
  await center.center.services.publisher.settled()
  expect(agents.map((agent) => agent.announced.length)).toEqual(before)
  await one.reportInventory([sampleVm(2, 'web'), sampleVm(3, 'db'), sampleVm(5000, 'web')])
  await expect
    .poll(() => agents.map((agent) => agent.announced.length), { timeout: 15_000 })
    .toEqual(before.map((n) => n + 1))
})
