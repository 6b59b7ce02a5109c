import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { sampleAddress, sampleEndpoint, samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent } from './testing/test-agent.ts'
import { startTestCenter, type TestCenter } from './testing/test-center.ts'

let server: TestServer
let center: TestCenter

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
beforeEach(async () => {
  center = await startTestCenter({ storeUrl: await server.createDatabase() })
})
afterEach(() => center.remove())

test('a policy is drafted, published, announced, fetched and in force', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.expect('welcome')
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])

  expect((await center.call('PUT', '/v1/policy/draft', samplePolicy())).status).toBe(200)
  const plan = await center.call('POST', '/v1/policy/plan', {})
  expect(plan.body).toMatchObject({ revision: 1, hosts: [{ host: 'host-1', changed: true, endpoints: 2 }] })
  const published = await center.call('POST', '/v1/policy/publish', { expectedRevision: 0 })
  expect(published.body).toMatchObject({ revision: 1, changed: true, hosts: [{ host: 'host-1', changed: true }] })
  expect(published.body.hosts[0].digest).toBe(plan.body.hosts[0].digest)

  await agent.expectPlan((message) => message.revision === 1)
  await expect
    .poll(async () => (await center.call('GET', '/v1/policy/publications/1')).body)
    .toMatchObject({ inForce: true, hosts: [{ host: 'host-1', state: 'applied', connected: true }] })
  expect(agent.held().digest).toBe(published.body.hosts[0].digest)
  const hosts = await center.call('GET', '/v1/hosts')
  expect(hosts.body.hosts[0]).toMatchObject({ name: 'host-1', connected: true, inForce: true, plannedRevision: 1 })
  await agent.close()
})

test('names that are words of the kernel’s tools go through as names', async () => {
  const agent = await connectAgent(center.url, await center.enroll('accept'))
  const vms = [sampleVm(1, 'web', 'accept'), sampleVm(2, 'db', 'accept')]
  await agent.reportInventory(vms.map((vm, at) => ({ ...vm, name: at === 0 ? 'drop' : '1web' })))
  const folder = join(import.meta.dirname, '../../tests/golden/names-that-are-kernel-keywords')
  const text = (await readFile(join(folder, 'policy.yaml'), 'utf8')).replaceAll('tier:', 'role:')
  expect((await center.call('PUT', '/v1/policy/draft', text)).status).toBe(200)
  expect((await center.call('POST', '/v1/policy/publish', {})).status).toBe(200)
  await expect.poll(() => agent.held().revision).toBe(1)
  const rule = 'tenant:accept/accept/drop'
  expect((await agent.expectPlan()).body).toContain(rule)
  const counters = [{ rule, packets: 2, bytes: 200, hits: 1 }]
  agent.send({ kind: 'status', seq: 2, revision: 1, driver: 't', drift: 0, rssBytes: 1, endpoints: [], counters })
  await agent.expect('ack', (message) => message.seq === 2)
  const { rules } = (await center.call('GET', '/v1/rules')).body
  expect(rules.map((each: { rule: { ref: string }; hits: number }) => [each.rule.ref, each.hits])).toEqual([
    [rule, 1],
    ['tenant:accept/accept/1web', 0],
    ['tenant:accept/accept/放行', 0],
  ])
  await agent.close()
})

test('explain asks the published plans', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  await center.call('POST', '/v1/policy/publish', {})
  const ask = (source: number, destination: number, port: number) =>
    center.call('POST', '/v1/policy/explain', {
      source: sampleAddress(source),
      destination: sampleAddress(destination),
      protocol: 6,
      port,
      policy: 'published',
    })
  expect((await ask(1, 2, 5432)).body).toMatchObject({
    action: 'allow',
    source: { endpoint: sampleEndpoint(1), host: 'host-1' },
    sides: [
      { direction: 'egress', decided: { action: 'allow', rule: { policy: 'app', name: 'web-to-db' } } },
      { direction: 'ingress', decided: { action: 'allow', rule: { policy: 'app', name: 'web-to-db' } } },
    ],
  })
  expect((await ask(1, 2, 5433)).body.action).toBe('drop')
  expect((await ask(2, 1, 5432)).body.action).toBe('drop')
  await agent.close()
})

test('diff tells which connections change their fate, by the rules that decide', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy(5432))
  const first = (await center.call('POST', '/v1/policy/diff', {})).body
  expect(first).toMatchObject({
    published: 0,
    more: 0,
    changes: [
      {
        source: { members: ['acme/web-1'] },
        destination: { members: ['acme/db-2'] },
        services: ['tcp 5432'],
        before: { action: 'drop', rule: { tier: 'builtin' } },
        after: { action: 'allow', rule: { tenant: 'acme', policy: 'app', name: 'web-to-db' } },
      },
    ],
  })
  await center.call('POST', '/v1/policy/publish', {})
  expect((await center.call('POST', '/v1/policy/diff', {})).body.changes).toEqual([])
  const moved = (await center.call('POST', '/v1/policy/diff', { text: samplePolicy(5433) })).body.changes
  const seen = moved.map((each: { services: string[]; after: { action: string } }) => [
    each.services,
    each.after.action,
  ])
  expect(seen).toEqual(
    expect.arrayContaining([
      [['tcp 5432'], 'drop'],
      [['tcp 5433'], 'allow'],
    ]),
  )
  await agent.close()
})

test('what is doubtful over the present VMs is a warning, not a refusal', async () => {
  const answer = await center.call('PUT', '/v1/policy/draft', samplePolicy())
  expect(answer.status).toBe(200)
  expect(answer.body.warnings.map((each: { code: string }) => each.code)).toContain('label.unknown-key')
})
