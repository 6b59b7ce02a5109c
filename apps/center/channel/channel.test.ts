import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createKeyAndCsr, openCa, toCenterTlsOptions, type Enrolled } from '@hyperward/pki'
import type { AgentMessage } from '@hyperward/protocol'
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { parseHostName, type HostName } from '@hyperward/model'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'

import { sampleEndpoint, samplePolicy, sampleVm } from '../testing/sample.ts'
import { connectAgent } from '../testing/test-agent.ts'
import { startTestCenter, type TestCenter } from '../testing/test-center.ts'

let server: TestServer
let storeUrl: string
let center: TestCenter

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
beforeEach(async () => {
  storeUrl = await server.createDatabase()
  center = await startTestCenter({ storeUrl })
})
afterEach(() => center.remove())

const name = (text: string): HostName => parseHostName(text) ?? expect.fail(`not a host name: ${text}`)

/** A certificate by an authority of the test's own, at a time of its own. */
async function issueElsewhere(host: string, clock: () => Date): Promise<Enrolled> {
  const directory = await mkdtemp(join(tmpdir(), 'hwc-ca-'))
  try {
    const ca = await openCa({ directory, name: 'elsewhere', clock })
    const { keyPem, csrPem } = await createKeyAndCsr(name(host))
    const issued = await ca.issueAgent(csrPem, name(host))
    return { host: name(host), keyPem, certificatePem: issued.pem, caPem: center.caPem }
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function publish(port: number): Promise<number> {
  await center.call('PUT', '/v1/policy/draft', samplePolicy(port))
  return (await center.call('POST', '/v1/policy/publish', {})).body.revision
}

test('an agent without a certificate is refused', async () => {
  const socket = new WebSocket(`${center.url.replace('https', 'wss')}/v1/agent`, toCenterTlsOptions(center.caPem))
  await expect(
    new Promise((resolve, reject) => {
      socket.on('open', resolve)
      socket.on('error', reject)
    }),
  ).rejects.toThrow('401')
})

test('an agent with a certificate of another authority is refused, though its name is right', async () => {
  await center.enroll('host-1')
  const foreign = await issueElsewhere('host-1', () => new Date())
  await expect(connectAgent(center.url, foreign)).rejects.toThrow('401')
})

test('an agent with a certificate that ended is refused', async () => {
  await center.enroll('host-1')
  const dayBefore = await openCa({
    directory: center.data,
    name: 'x',
    clock: () => new Date(Date.now() - 25 * 3_600_000),
  })
  const { keyPem, csrPem } = await createKeyAndCsr(name('host-1'))
  const ended = await dayBefore.issueAgent(csrPem, name('host-1'))
  const identity = { host: name('host-1'), keyPem, certificatePem: ended.pem, caPem: center.caPem }
  await expect(connectAgent(center.url, identity)).rejects.toThrow('401')
})

test('a certificate ends by the center’s clock too, also while connected', async () => {
  const shift = { ms: 0 }
  await center.remove()
  center = await startTestCenter({
    storeUrl: await server.createDatabase(),
    clock: () => new Date(Date.now() + shift.ms),
    channel: { heartbeatMs: 50 },
  })
  const enrolled = await center.enroll('host-1')
  const agent = await connectAgent(center.url, enrolled)
  await agent.expect('welcome')
  shift.ms = 25 * 3_600_000
  await agent.expect('error', (message) => message.code === 'agent.certificate-ended')
  await expect(connectAgent(center.url, enrolled)).rejects.toThrow('401')
})

test('a host that was removed is cut and refused', async () => {
  const enrolled = await center.enroll('host-1')
  const agent = await connectAgent(center.url, enrolled)
  await agent.expect('welcome')
  expect((await center.call('DELETE', '/v1/hosts/host-1')).status).toBe(204)
  await agent.expect('error', (message) => message.code === 'agent.unknown-host')
  await agent.closed()
  await expect(connectAgent(center.url, enrolled)).rejects.toThrow('403')
})

test('a certificate of before a new enrolment never connects again, nor renews itself', async () => {
  const stolen = await center.enroll('host-1')
  const thief = await connectAgent(center.url, stolen)
  await thief.expect('welcome')
  // enrolled again without being removed
  const second = await center.enroll('host-1')
  await thief.expect('error', (message) => message.code === 'agent.replaced')
  await expect(connectAgent(center.url, stolen)).rejects.toThrow('403')
  // removed and enrolled again
  await center.call('DELETE', '/v1/hosts/host-1')
  const third = await center.enroll('host-1')
  for (const old of [stolen, second]) await expect(connectAgent(center.url, old)).rejects.toThrow('403')
  const agent = await connectAgent(center.url, third)
  await agent.expect('welcome')
  // a connection that outlived its enrolment gets no certificate
  await center.center.services.store.query(`update host set certificate_serials = '{aa}'`)
  agent.send({ kind: 'renew', csr: (await createKeyAndCsr(name('host-1'))).csrPem })
  await agent.expect('error', (message) => message.code === 'agent.certificate-replaced')
  expect(agent.received.filter((message) => message.kind === 'certificate')).toEqual([])
})

test('of two connections of one host the newer stays', async () => {
  const enrolled = await center.enroll('host-1')
  const older = await connectAgent(center.url, enrolled)
  await older.expect('welcome')
  const newer = await connectAgent(center.url, enrolled)
  await newer.expect('welcome')
  await older.expect('error', (message) => message.code === 'agent.replaced')
  await older.closed()
  expect((await center.call('GET', '/v1/hosts')).body.hosts[0].connected).toBe(true)
  await newer.close()
})

test.each([
  ['no JSON', '{'],
  ['an unknown kind', '{"kind":"shutdown"}'],
  ['an unknown field', '{"kind":"fetch-plan","digest":"' + 'a'.repeat(64) + '","host":"host-2"}'],
  ['a NUL character', '{"kind":"renew","csr":"a\\u0000"}'],
])('%s cuts that agent with a code and leaves others alone', async (_what, text) => {
  const other = await connectAgent(center.url, await center.enroll('host-2'))
  await other.expect('welcome')
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.expect('welcome')
  agent.sendText(text)
  await agent.expect('error', (message) => message.code === 'agent.bad-message')
  await agent.closed()
  await other.reportInventory([sampleVm(1, 'web')])
  await other.close()
})

test('an agent of another protocol version is told so', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'), { hello: false })
  agent.sendText('{"kind":"hello","protocol":3,"software":"s","heldRevision":0,"heldDigest":null,"kernel":"k"}')
  await agent.expect('error', (message) => message.code === 'agent.protocol-mismatch')
})

test('a report sent again after a break is acknowledged and stored once', async () => {
  const enrolled = await center.enroll('host-1')
  const report = (seq: number, message: string): AgentMessage => ({
    kind: 'events',
    seq,
    datapath: [],
    agent: [{ kind: 'drift', at: '2026-01-01T00:00:00.000Z', endpoint: null, message }],
    lost: 0,
  })
  for (let round = 0; round < 2; round += 1) {
    const agent = await connectAgent(center.url, enrolled, { stream: 'spool-1' })
    agent.send(report(7, 'once'))
    await agent.expect('ack', (message) => message.seq === 7)
    await agent.close()
  }
  const events = (await center.call('GET', '/v1/events?kind=drift')).body.events
  expect(events.map((event: { message: string }) => event.message)).toEqual(['once'])
  // a spool that begins anew numbers from 1 again, and loses nothing by it
  const agent = await connectAgent(center.url, enrolled, { stream: 'spool-2' })
  agent.send(report(1, 'twice'))
  await agent.expect('ack', (message) => message.seq === 1)
  expect((await center.call('GET', '/v1/events?kind=drift')).body.events).toHaveLength(2)
  await agent.close()
})

test('the host is the certificate’s: a flow of another host’s endpoint gets no tenant', async () => {
  const owner = await connectAgent(center.url, await center.enroll('host-1'))
  await owner.reportInventory([sampleVm(1, 'web')])
  const other = await connectAgent(center.url, await center.enroll('host-2'))
  const drop = {
    kind: 'drop',
    at: '2026-01-01T00:00:00.000Z',
    endpoint: sampleEndpoint(1),
    direction: 'egress',
    reason: 'policy',
    rule: 'builtin:/default/drop',
    action: 'drop',
    tuple: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, sourcePort: 40_000, destinationPort: 22 },
    sourceMac: '52:54:00:00:00:01',
    suppressed: 3,
  } as const
  for (const agent of [owner, other]) {
    agent.send({ kind: 'events', seq: 9, datapath: [drop], agent: [], lost: 0 })
    await agent.expect('ack', (message) => message.seq === 9)
    await agent.close()
  }
  const flows = (await center.call('GET', '/v1/flows')).body.flows
  expect(flows.map((flow: { host: string; tenant: string | null }) => [flow.host, flow.tenant])).toEqual([
    ['host-1', 'acme'],
    ['host-2', null],
  ])
  expect(flows[0]).toMatchObject({ vmName: 'web-1', action: 'drop', reason: 'policy', suppressed: 3 })
  expect((await center.call('GET', '/v1/flows?address=10.0.0.2&tenant=acme')).body.flows).toHaveLength(1)
})

test('a certificate is renewed over the channel', async () => {
  const enrolled = await center.enroll('host-1')
  const agent = await connectAgent(center.url, enrolled)
  const { keyPem, csrPem } = await createKeyAndCsr(name('another-name'))
  agent.send({ kind: 'renew', csr: csrPem })
  const { certificate } = await agent.expect('certificate')
  // asked again, and that answer lost
  agent.send({ kind: 'renew', csr: csrPem })
  await agent.expect('certificate', (message) => message.certificate !== certificate)
  await agent.close()
  // had the answer been lost, the one before would still do
  await (await connectAgent(center.url, enrolled)).close()
  const again = await connectAgent(center.url, { ...enrolled, keyPem, certificatePem: certificate })
  expect((await again.expect('welcome')).host).toBe('host-1')
  await again.close()
  await expect(connectAgent(center.url, enrolled)).rejects.toThrow('403')
})

test('only the hosts whose plan changed are told, and a restart of the center changes nothing', async () => {
  const identities = [await center.enroll('host-1'), await center.enroll('host-2')] as const
  const agents = await Promise.all(identities.map((identity) => connectAgent(center.url, identity)))
  const [one, two] = [agents[0], agents[1]]
  if (one === undefined || two === undefined) throw new Error('two agents')
  await one.reportInventory([sampleVm(1, 'web')])
  await two.reportInventory([{ ...sampleVm(2, 'db'), tenant: 'other' }])
  await publish(5432)
  await one.expectPlan((message) => message.revision === 1)
  await two.expectPlan((message) => message.revision === 1)
  expect(await publish(5433)).toBe(2)
  await one.expectPlan((message) => message.revision === 2)
  const publication = (await center.call('GET', '/v1/policy/publications/2')).body
  expect(publication.hosts.map((host: { host: string }) => host.host)).toEqual(['host-1', 'host-2'])
  const held = one.held()
  await center.stop()
  await one.closed()

  center = await startTestCenter({ storeUrl, data: center.data })
  const back = await connectAgent(center.url, identities[0], { held })
  const told = await back.expect('plan-available')
  expect(told).toMatchObject(held)
  expect((await center.call('GET', '/v1/status')).body.revision).toBe(2)
  expect(back.plans).toEqual([])
  await back.close()
})

test('a plan is fetched from the store after a restart, and what no plan needs is let go', async () => {
  const identity = await center.enroll('host-1')
  const agent = await connectAgent(center.url, identity)
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  for (const port of [1, 2, 3]) await publish(port)
  const { body } = await agent.expectPlan((message) => message.revision === 3)
  const { store, publisher } = center.center.services
  const count = async () =>
    (await store.query<{ count: number }>('select count(*) as count from plan_section'))[0]?.count
  expect(await count()).toBeGreaterThan(7)
  await publisher.prune()
  expect(await count()).toBeLessThanOrEqual(7)
  await center.stop()
  center = await startTestCenter({ storeUrl, data: center.data })
  const fresh = await connectAgent(center.url, identity)
  expect((await fresh.expectPlan()).body).toBe(body)
  // what was let go is stored again when it is needed again
  await publish(2)
  await fresh.expectPlan((message) => message.revision === 4)
  await center.center.services.publisher.prune()
  await fresh.close()
})

test('an older revision is never announced (invariant 2), whatever is published and however agents come and go', async () => {
  const identity = await center.enroll('host-1')
  let agent = await connectAgent(center.url, identity)
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  const announced: number[] = []
  for (let round = 0; round < 12; round += 1) {
    const publishing = publish(round % 3 === 0 ? 80 : 1000 + round)
    if (round % 2 === 1) {
      // a reconnect in the middle of a publish
      const held = agent.held()
      await agent.close()
      announced.push(...agent.announced)
      agent = await connectAgent(center.url, identity, { held })
    }
    await publishing
  }
  const revision = (await center.call('GET', '/v1/status')).body.revision
  await expect.poll(() => agent.held().revision).toBe(revision)
  announced.push(...agent.announced)
  expect(announced).toEqual(announced.toSorted((left, right) => left - right))
  const outcomes = await center.center.services.store.query<{ outcome: string | null }>(
    `select distinct outcome from host_plan where outcome is not null`,
  )
  expect(outcomes).toEqual([{ outcome: 'applied' }])
  await agent.close()
})

test('a connection announces nothing older than it announced before (invariant 2)', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'), { applies: false })
  await agent.expect('welcome')
  const connection = center.center.services.registry.find('host-1')
  const told = [7, 6, 8, 7].map((revision) => connection?.announce(revision, 'a'.repeat(64)))
  expect(told).toEqual([true, false, true, false])
  await agent.expect('plan-available', (message) => message.revision === 8)
  expect(agent.announced).toEqual([7, 8])
  await agent.close()
})

test('an agent that answers no heartbeat, or takes nothing, is cut; another one stays', async () => {
  await center.remove()
  const storeUrl = await server.createDatabase()
  center = await startTestCenter({ storeUrl, channel: { heartbeatMs: 200, maxWaitingBytes: 1_000_000 } })
  const other = await connectAgent(center.url, await center.enroll('host-3'))
  const silent = await connectAgent(center.url, await center.enroll('host-1'), { answers: false })
  await silent.expect('error', (message) => message.code === 'agent.silent')
  const slow = await connectAgent(center.url, await center.enroll('host-2'), { applies: false })
  await slow.expect('welcome')
  slow.stopReading()
  const { registry } = center.center.services
  for (let revision = 1; registry.find('host-2') !== null && revision < 1_000_000; revision += 1) {
    registry.find('host-2')?.announce(revision, 'a'.repeat(64))
    if (revision % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(registry.find('host-2')).toBe(null)
  await other.reportInventory([sampleVm(1, 'web')])
  await other.close()
})

test('the store itself refuses a revision that is not the next one', async () => {
  await publish(80)
  const { store } = center.center.services
  const insert = (revision: number) =>
    store.query(
      `insert into publication select $1, cause, policy_digest, published_at, published_by from publication limit 1`,
      [revision],
    )
  await expect(insert(1)).rejects.toThrow()
  await expect(insert(3)).rejects.toThrow('not the next one')
  await expect(store.query('delete from publication')).rejects.toThrow('never changed')
  await expect(store.query('update publication set published_by = $1', ['x'])).rejects.toThrow('never changed')
})

test('same input, same bytes (invariant 6): two centers with the same policy and inventory make the same plans', async () => {
  const other = await startTestCenter({ storeUrl: await server.createDatabase() })
  const digests: string[] = []
  try {
    for (const each of [center, other]) {
      const agent = await connectAgent(each.url, await each.enroll('host-1'))
      const vms = [sampleVm(1, 'web'), sampleVm(2, 'db'), sampleVm(3, 'web')]
      await agent.reportInventory(each === other ? vms.toReversed() : vms)
      await each.call('PUT', '/v1/policy/draft', samplePolicy())
      await each.call('POST', '/v1/policy/publish', {})
      const plan = await agent.expectPlan()
      digests.push(JSON.stringify([plan.revision, plan.digest, plan.body]))
      await agent.close()
    }
  } finally {
    await other.remove()
  }
  expect(digests[0]).toBe(digests[1])
})

test('after one label change only the chunks it changed travel, also to an agent that was away', async () => {
  const identity = await center.enroll('host-1')
  const agent = await connectAgent(center.url, identity)
  const vms = Array.from({ length: 1300 }, (_, at) => sampleVm(at + 1, at % 3 === 0 ? 'web' : 'db'))
  await agent.reportInventory(vms)
  await publish(5432)
  const whole = (await agent.expectPlan((plan) => plan.revision === 1)).body
  const first = agent.chunkBytes()
  expect(first).toBeLessThan(whole.length)
  expect(first).toBeGreaterThan(whole.length * 0.9)
  await agent.reportInventory(vms.map((vm, at) => (at === 700 ? { ...vm, labels: { role: 'web' } } : vm)))
  const next = await agent.expectPlan((plan) => plan.revision === 2)
  // one of the chunks of addresses, and no endpoint
  expect(agent.chunkBytes() - first).toBeLessThan(whole.length / 3)
  expect(next.body).not.toBe(whole)
  // the whole agrees with what a fresh agent is given
  const fresh = await connectAgent(center.url, identity)
  expect((await fresh.expectPlan()).body).toBe(next.body)
  expect(fresh.chunkBytes()).toBeGreaterThan(whole.length * 0.9)
  await fresh.close()
})

test('a chunk that the plan of a host does not have is refused, and so is the plan of another host', async () => {
  const owner = await connectAgent(center.url, await center.enroll('host-1'))
  await owner.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  const other = await connectAgent(center.url, await center.enroll('host-2'), { applies: false })
  await other.reportInventory([{ ...sampleVm(3, 'db'), tenant: 'other' }])
  await publish(5432)
  const { digest } = await owner.expectPlan()
  const own = await other.expect('plan-available')
  other.send({ kind: 'fetch-plan', digest })
  await other.expect('error', (message) => message.code === 'agent.unknown-plan')
  owner.send({ kind: 'fetch-sections', digest, sections: ['rules', 'verdicts'] })
  const { chunks } = await owner.expect('plan-section', (message) => message.section === 'verdicts')
  const foreign = chunks.map((chunk) => chunk.digest).slice(0, 1)
  expect(foreign).toHaveLength(1)
  other.send({ kind: 'fetch-chunks', digest: own.digest, chunks: foreign })
  await other.expect('error', (message) => message.code === 'agent.bad-message')
  await other.closed()
  expect(other.received.filter((message) => message.kind === 'plan-chunks')).toEqual([])
  await owner.close()
})
