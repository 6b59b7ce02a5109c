import { readFile, stat } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { connect } from 'node:tls'

import { enrollHost, toCenterTlsOptions } from '@hyperward/pki'
import type { AgentMessage } from '@hyperward/protocol'
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { fastify } from 'fastify'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { applyRetention } from '../services/retention.ts'
import { sampleEndpoint, samplePolicy, sampleVm } from '../testing/sample.ts'
import { connectAgent } from '../testing/test-agent.ts'
import { callCenter, startTestCenter, type TestCenter } from '../testing/test-center.ts'
import { addAuthorization } from './authorize.ts'

let server: TestServer
let center: TestCenter
let logged = ''
const shift = { ms: 0 }

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
beforeEach(async () => {
  logged = ''
  shift.ms = 0
  const stream = new PassThrough()
  stream.on('data', (chunk: Buffer) => (logged += chunk.toString('utf8')))
  center = await startTestCenter({
    storeUrl: await server.createDatabase(),
    log: pino({ level: 'trace' }, stream),
    clock: () => new Date(Date.now() + shift.ms),
  })
})
afterEach(() => center.remove())

test('a route that declares no action does not start', async () => {
  const app = fastify()
  addAuthorization(app, center.center.services.store, () => new Date())
  expect(() => app.get('/v1/open', { config: { action: 'status:read' } }, async () => 'x')).not.toThrow()
  expect(() => app.get('/v1/forgotten', async () => 'x')).toThrow('declares no action')
  await app.close()
})

test('every administrator’s route wants the token, also for paths that are not there', async () => {
  const routes = [
    ['GET', '/v1/status'],
    ['GET', '/v1/hosts'],
    ['POST', '/v1/hosts'],
    ['PUT', '/v1/policy/draft'],
    ['POST', '/v1/policy/publish'],
    ['GET', '/v1/events/stream'],
    ['GET', '/v1/nothing'],
  ] as const
  for (const [method, path] of routes) {
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${center.token}`, `Bearer ${center.token}x`]) {
      const answer = await callCenter(center.url, center.caPem, method, path, undefined, { authorization })
      expect([path, answer.status, answer.body.code]).toEqual([path, 401, 'api.unauthenticated'])
    }
  }
})

test('a token that is rotated in the store counts ten seconds more at most, without a restart', async () => {
  expect((await center.call('GET', '/v1/status')).status).toBe(200)
  await center.center.services.store.query(`update admin_token set hash = 'another'`)
  shift.ms = 10_000
  expect((await center.call('GET', '/v1/status')).status).toBe(401)
})

test('only TLS 1.3 is spoken', async () => {
  const port = Number(new URL(center.url).port)
  const error = await new Promise<Error>((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ...toCenterTlsOptions(center.caPem),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
    })
    socket.on('error', resolve)
    socket.on('secureConnect', () => reject(new Error('TLS 1.2 was accepted')))
  })
  expect(error.message).toMatch(/protocol version/i)
})

test('an enrolment token works once, for one host, and only in its time', async () => {
  const made = (await center.call('POST', '/v1/hosts', { name: 'host-1', minutes: 10 })).body
  const both = await Promise.allSettled([enrollHost(center.url, made.token), enrollHost(center.url, made.token)])
  expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected'])
  await expect(enrollHost(center.url, made.token)).rejects.toMatchObject({
    code: 'pki.enroll-refused',
    details: { code: 'enroll.token-refused' },
  })
  const late = (await center.call('POST', '/v1/hosts', { name: 'host-2', minutes: 10 })).body
  shift.ms = 11 * 60_000
  await expect(enrollHost(center.url, late.token)).rejects.toMatchObject({ details: { code: 'enroll.token-refused' } })
})

test('a token that names another authority is not sent', async () => {
  const made = (await center.call('POST', '/v1/hosts', { name: 'host-1' })).body
  const [, , secret] = made.token.split('.')
  await expect(enrollHost(center.url, `hw1.${'A'.repeat(43)}.${secret}`)).rejects.toMatchObject({
    code: 'pki.not-the-center',
  })
  // it was not used up: nobody saw it
  expect((await enrollHost(center.url, made.token)).host).toBe('host-1')
})

test('a certificate request that cannot be signed does not use the token up', async () => {
  const made = (await center.call('POST', '/v1/hosts', { name: 'host-1' })).body
  const refused = await center.call('POST', '/v1/enroll', { token: made.token, csr: 'nonsense' })
  expect([refused.status, refused.body.code]).toEqual([400, 'pki.csr-invalid'])
  expect((await enrollHost(center.url, made.token)).host).toBe('host-1')
})

test('secrets are in no log, and the files that hold them are closed', async () => {
  const made = (await center.call('POST', '/v1/hosts', { name: 'host-1' })).body
  const enrolled = await enrollHost(center.url, made.token)
  const agent = await connectAgent(center.url, enrolled)
  await agent.expect('welcome')
  await center.call('GET', '/v1/status', undefined, { authorization: 'Bearer guessed-secret' })
  await center.call('POST', '/v1/enroll', { token: `${made.token}`, csr: 'x' })
  await agent.close()
  expect(logged).toContain('host-1')
  const keys = [enrolled.keyPem, await readFile(join(center.data, 'ca.key'), 'utf8')].map(
    (pem) => pem.split('\n')[1] ?? '',
  )
  for (const secret of [center.token, made.token, made.token.split('.')[2], 'guessed-secret', ...keys]) {
    expect(logged).not.toContain(secret)
  }
  for (const file of ['admin-token', 'ca.key']) {
    expect((await stat(join(center.data, file))).mode & 0o777).toBe(0o600)
  }
})

test.each([
  ['an unknown field', 'POST', '/v1/hosts', { name: 'host-1', tenant: 'x' }],
  ['a wrong type', 'POST', '/v1/policy/publish', { expectedRevision: 'one' }],
  ['a bad host name', 'POST', '/v1/hosts', { name: 'Host_1' }],
  ['a bad UUID', 'PATCH', '/v1/vms/1', { tenant: 'acme' }],
  [
    'a bad address',
    'PATCH',
    '/v1/vms/00000000-0000-4000-8000-000000000001',
    { addresses: { '52:54:00:00:00:01': ['10.0.0.256'] } },
  ],
  ['an unknown query field', 'GET', '/v1/flows?hots=a', undefined],
  ['malformed JSON', 'POST', '/v1/policy/publish', undefined],
])('%s is refused with 400 and a sentence', async (what, method, path, body) => {
  const answer =
    what === 'malformed JSON'
      ? await callCenter(center.url, center.caPem, method, path, '{', {
          authorization: `Bearer ${center.token}`,
          'content-type': 'application/json',
        })
      : await center.call(method, path, body)
  expect([answer.status, answer.body.code]).toEqual([400, 'api.bad-request'])
  expect(answer.body.message.length).toBeGreaterThan(5)
})

test('a wrong policy is refused with every diagnostic and its place; the draft stays', async () => {
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  const wrong = samplePolicy().replace('from: web', 'from: wbe').replace('tcp: 5432', 'tcp: 70000')
  const answer = await center.call('PUT', '/v1/policy/draft', wrong)
  expect([answer.status, answer.body.code]).toEqual([422, 'policy.invalid'])
  expect(answer.body.diagnostics.length).toBeGreaterThanOrEqual(2)
  for (const each of answer.body.diagnostics) expect(each.place).toMatchObject({ file: 'policy.yaml', line: 11 })
  expect((await center.call('GET', '/v1/policy/draft')).body.text).toBe(samplePolicy())
  expect((await center.call('POST', '/v1/policy/plan', { text: wrong })).status).toBe(422)
})

test('a plan writes nothing', async () => {
  const { store } = center.center.services
  const count = () =>
    store.query(`select (select count(*) from policy_text) as texts, (select count(*) from publication) as publications,
      (select count(*) from host_plan) as plans, (select count(*) from policy_draft) as drafts`)
  await center.enroll('host-1')
  const before = await count()
  const plan = await center.call('POST', '/v1/policy/plan', { text: samplePolicy() })
  expect(plan.body).toMatchObject({ revision: 1, hosts: [{ host: 'host-1', changed: true }] })
  expect(await count()).toEqual(before)
})

test('publishing what someone else changed meanwhile is refused', async () => {
  expect((await center.call('POST', '/v1/policy/publish', {})).body.code).toBe('policy.no-draft')
  const mine = (await center.call('PUT', '/v1/policy/draft', samplePolicy(1))).body
  await center.call('PUT', '/v1/policy/draft', samplePolicy(2))
  const refused = await center.call('POST', '/v1/policy/publish', { expectedDraft: mine.digest })
  expect([refused.status, refused.body.code]).toEqual([409, 'policy.draft-conflict'])
  expect((await center.call('POST', '/v1/policy/publish', { expectedRevision: 0 })).body.revision).toBe(1)
  const late = await center.call('POST', '/v1/policy/publish', { expectedRevision: 0 })
  expect([late.status, late.body.code]).toEqual([409, 'policy.revision-conflict'])
  const again = await center.call('POST', '/v1/policy/publish', {})
  expect(again.body).toMatchObject({ revision: 1, changed: false })
})

test('the center’s word counts over the metadata, and can be taken back', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web', null)])
  const vm = sampleVm(1, 'web')
  const mac = vm.endpoints[0]?.mac ?? ''
  const path = `/v1/vms/${vm.uuid}`
  const patched = await center.call('PATCH', path, {
    tenant: 'acme',
    labels: { role: 'db', zone: 'a' },
    addresses: { [mac]: ['10.9.9.9', '2001:DB8::1'] },
  })
  expect(patched.body).toMatchObject({
    tenant: 'acme',
    labels: { role: 'db', zone: 'a' },
    endpoints: [{ mac, addresses: ['10.9.9.9', '2001:db8::1'] }],
  })
  // it outlives the VM's absence
  await agent.reportInventory([])
  await agent.reportInventory([sampleVm(1, 'web', null)])
  expect((await center.call('GET', path)).body.tenant).toBe('acme')
  const back = await center.call('PATCH', path, { tenant: null, labels: { role: null }, addresses: null })
  expect(back.body).toMatchObject({
    tenant: null,
    labels: { role: 'web', zone: 'a' },
    endpoints: [{ mac, addresses: ['10.0.0.1'] }],
  })
  await agent.close()
})

test('a change of the inventory makes new plans only where content changed', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  await center.call('POST', '/v1/policy/publish', {})
  await agent.reportInventory([sampleVm(1, 'web')])
  await center.center.services.publisher.settled()
  expect((await center.call('GET', '/v1/status')).body.revision).toBe(1)
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await agent.expectPlan((message) => message.revision === 2)
  const publication = (await center.call('GET', '/v1/policy/publications/2')).body
  expect(publication).toMatchObject({ cause: 'inventory', by: 'center' })
  await agent.close()
})

test('hit counts never go down, though a host’s counters begin anew', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  const other = await connectAgent(center.url, await center.enroll('host-2'))
  const rule = 'tenant:acme/app/web-to-db'
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await other.reportInventory([sampleVm(3, 'web')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  await center.call('POST', '/v1/policy/publish', {})
  const report = (seq: number, hits: number): AgentMessage => ({
    kind: 'status',
    seq,
    revision: 0,
    driver: 'test',
    drift: 0,
    rssBytes: 1,
    endpoints: [{ endpoint: sampleEndpoint(1), vmName: 'web-1', device: 'tap1', state: 'enforced', reason: null }],
    counters: [{ rule, packets: hits * 2, bytes: hits * 100, hits }],
  })
  const hits = async () => (await center.call('GET', '/v1/rules')).body.rules[0]
  const seen: number[] = []
  for (const [at, count] of [10, 15, 4, 4, 20].entries()) {
    agent.send(report(at + 2, count))
    await agent.expect('ack', (message) => message.seq === at + 2)
    seen.push((await hits()).hits)
  }
  expect(seen).toEqual([10, 15, 19, 19, 35])
  other.send(report(2, 100))
  await other.expect('ack', (message) => message.seq === 2)
  expect(await hits()).toMatchObject({
    hits: 135,
    packets: 270,
    bytes: 13_500,
    rule: { tenant: 'acme', name: 'web-to-db' },
  })
  await agent.close()
  await other.close()
})

test('a host cannot spoil the counts of all by huge numbers or by rules it made up', async () => {
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  const cheat = await connectAgent(center.url, await center.enroll('host-2'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await cheat.reportInventory([sampleVm(3, 'web')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  await center.call('POST', '/v1/policy/publish', {})
  const rule = 'tenant:acme/app/web-to-db'
  const status = { kind: 'status' as const, revision: 1, driver: 'test', drift: 0, rssBytes: 1, endpoints: [] }
  const huge = Number.MAX_SAFE_INTEGER
  let seq = 1
  const say = async (by: typeof agent, packets: number, rules: readonly string[]): Promise<void> => {
    seq += 1
    const mine = seq
    by.send({ ...status, seq, counters: rules.map((each) => ({ rule: each, packets, bytes: 1, hits: 1 })) })
    await by.expect('ack', (message) => message.seq === mine)
  }
  await say(agent, 7, [rule])
  for (const packets of [huge, 0, huge, 0, huge]) await say(cheat, packets, [rule, rule, 'tenant:acme/app/made-up'])
  const { status: code, body } = await center.call('GET', '/v1/rules')
  expect(code).toBe(200)
  expect(body.rules.map((each: { rule: { ref: string }; packets: number }) => [each.rule.ref, each.packets])).toEqual([
    [rule, huge],
  ])
  // a rule that left the policy keeps its counts, while it is reported and for a time after
  const without = samplePolicy().replace('web-to-db', 'another')
  await center.call('PUT', '/v1/policy/draft', without)
  await center.call('POST', '/v1/policy/publish', {})
  await say(agent, 9, [rule])
  const refs = async () =>
    (await center.call('GET', '/v1/rules')).body.rules.map((each: { rule: { ref: string } }) => each.rule.ref)
  expect(await refs()).toEqual(['tenant:acme/app/another', rule])
  shift.ms = 89 * 86_400_000
  await applyRetention(center.center.services.store, center.center.services.clock(), {})
  expect(await refs()).toContain(rule)
  shift.ms = 91 * 86_400_000
  await applyRetention(center.center.services.store, center.center.services.clock(), {})
  expect(await refs()).toEqual(['tenant:acme/app/another'])
  shift.ms = 0
  cheat.sendText(JSON.stringify({ ...status, seq: 999, counters: [{ rule, packets: 9.2e18, bytes: 1, hits: 1 }] }))
  await cheat.expect('error', (message) => message.code === 'agent.bad-message')
  await agent.close()
})

test('flows and events go after their days, and beyond their number', async () => {
  const { store, recorder, clock } = center.center.services
  for (let at = 0; at < 10; at += 1) await recorder.event(null, 'test', `event ${at}`)
  shift.ms = 91 * 86_400_000
  for (let at = 10; at < 15; at += 1) await recorder.event(null, 'test', `event ${at}`)
  expect(await applyRetention(store, clock(), {})).toEqual({ flows: 0, events: 10, counters: 0 })
  expect(await applyRetention(store, clock(), { eventRows: 2 })).toEqual({ flows: 0, events: 3, counters: 0 })
  const left = (await center.call('GET', '/v1/events')).body.events
  expect(left.map((event: { message: string }) => event.message)).toEqual(['event 13', 'event 14'])
})

test('the stream tells what was missed, then what happens', async () => {
  const { recorder } = center.center.services
  await recorder.event(null, 'test', 'before')
  const lines: string[] = []
  const call = request(new URL('/v1/events/stream?since=0', center.url), {
    ...toCenterTlsOptions(center.caPem),
    agent: false,
    headers: { authorization: `Bearer ${center.token}` },
  })
  call.on('response', (response) =>
    response.on('data', (chunk: Buffer) => lines.push(...chunk.toString('utf8').trim().split('\n'))),
  )
  call.on('error', () => undefined)
  call.end()
  await expect.poll(() => lines.length).toBe(2)
  await recorder.event(null, 'test', 'after')
  await expect.poll(() => lines.map((line) => JSON.parse(line).event?.message)).toEqual(['before', undefined, 'after'])
  call.destroy()
})

test('the audit records who did what with which outcome, chained', async () => {
  await center.call('POST', '/v1/hosts', { name: 'host-1' })
  await center.call('POST', '/v1/policy/publish', {})
  await center.call('GET', '/v1/status')
  const { records } = (await center.call('GET', '/v1/audit')).body
  expect(
    records.map((each: { who: string; action: string; outcome: string }) => [each.who, each.action, each.outcome]),
  ).toEqual([
    ['admin', 'host:enroll', 'done'],
    ['admin', 'policy:publish', 'refused 409'],
  ])
  expect(new Set(records.map((each: { hash: string }) => each.hash)).size).toBe(2)
})
