// Questions to the center about a policy: prove, reach, lint, simulate, recommend. None of them writes.
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { sampleAddress, sampleEndpoint, samplePolicy, sampleVm } from '../testing/sample.ts'
import { connectAgent, type TestAgent } from '../testing/test-agent.ts'
import { callCenter, startTestCenter, type TestCenter } from '../testing/test-center.ts'

let server: TestServer
let center: TestCenter
let agent: TestAgent

const guarded = `${samplePolicy()}    guarantees:
      - { name: db-closed, never: { from: { not: web }, to: db } }
`
const wide = guarded.replace('from: web,', 'from: any,')

beforeAll(async () => {
  server = await startTestServer()
  center = await startTestCenter({ storeUrl: await server.createDatabase() })
  agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db'), sampleVm(3, 'mail')])
  await center.call('PUT', '/v1/policy/draft', guarded)
  expect((await center.call('POST', '/v1/policy/publish', {})).status).toBe(200)
  const flow = {
    kind: 'flow-start',
    at: '2026-01-01T00:00:00.000Z',
    endpoint: sampleEndpoint(1),
    direction: 'egress',
    rule: 'tenant:acme/app/web-to-db',
    tuple: {
      source: sampleAddress(1),
      destination: sampleAddress(2),
      protocol: 6,
      sourcePort: 40_000,
      destinationPort: 5432,
    },
    packets: 1,
    bytes: 60,
    end: null,
    suppressed: 0,
  } as const
  agent.send({
    kind: 'events',
    seq: 50,
    datapath: [flow, { ...flow, at: '2026-01-01T00:00:01.000Z' }],
    agent: [],
    lost: 0,
  })
  await agent.expect('ack', (message) => message.seq === 50)
}, 60_000)
afterAll(async () => {
  await agent.close()
  await center.remove()
  await server.stop()
}, 60_000)

test('a guarantee that fails comes with a connection that breaks it and the rules it passes by', async () => {
  const { body } = await center.call('POST', '/v1/policy/prove', { text: wide })
  expect(body.guarantees).toMatchObject([
    { name: 'acme/db-closed', tenant: 'acme', kind: 'never', holds: false, vacuous: false },
  ])
  const { packet, explanation, sentence } = body.guarantees[0].counterexample
  expect(packet).toMatchObject({ destination: sampleAddress(2), protocol: 6, port: 5432 })
  expect(explanation).toMatchObject({ action: 'allow', destination: { vmName: 'db-2' } })
  const decided = explanation.sides.map((side: { decided: { rule: { ref: string } } }) => side.decided.rule.ref)
  expect(decided).toContain('tenant:acme/app/web-to-db')
  expect(sentence).toContain('acme/db-closed (never) does not hold: tcp 5432 from')
  const inForce = await center.call('POST', '/v1/policy/prove', { policy: 'published' })
  expect(inForce.body.guarantees).toMatchObject([{ holds: true, counterexample: null }])
})

test('lint finds the rule that another one hides', async () => {
  const text = `${samplePolicy()}          - { name: hidden, from: web, to: db, service: { tcp: 5432 }, action: drop }\n`
  const { body } = await center.call('POST', '/v1/policy/lint', { text })
  expect(body.findings.map((each: { code: string }) => each.code)).toContain('lint.shadowed')
  const clean = await center.call('POST', '/v1/policy/lint', { policy: 'published' })
  expect(clean.body.findings.map((each: { code: string }) => each.code)).not.toContain('lint.shadowed')
})

test('simulate tells which recorded connections a draft would break', async () => {
  const closed = samplePolicy().replace('action: allow', 'action: drop')
  const { body } = await center.call('POST', '/v1/policy/simulate', { text: closed })
  expect(body).toMatchObject({
    flows: 2,
    records: 1,
    more: 0,
    changed: { opens: 0, differs: 0 },
    vms: ['acme/db-2', 'acme/web-1'],
  })
  expect(body.changes).toMatchObject([
    { kind: 'breaks', source: { name: 'acme/web-1' }, destination: { name: 'acme/db-2' }, port: 5432, connections: 2 },
  ])
  const same = await center.call('POST', '/v1/policy/simulate', { text: guarded, recorded: true })
  expect(same.body).toMatchObject({ flows: 2, changes: [] })
})

test('recommend writes a policy for what was seen, which the center accepts', async () => {
  const { body } = await center.call('POST', '/v1/policy/recommend', {})
  expect(body).toMatchObject({ flows: 2, records: 1, refused: 0, elsewhere: 0 })
  const answer = await center.call('POST', '/v1/policy/simulate', { text: body.text })
  expect(answer).toMatchObject({ status: 200, body: { changes: [] } })
})

test('reach tells who can reach a VM, whom it can, and by which rules', async () => {
  const { body } = await center.call('POST', '/v1/policy/reach', { policy: 'published', vm: sampleVm(2, 'db').uuid })
  expect(body).toMatchObject({
    addresses: [sampleAddress(2)],
    incoming: [{ services: ['tcp 5432'], verdict: 'allow', ingress: 'tenant:acme/app/web-to-db', anyBut: null }],
    outgoing: [],
  })
  const { groups, vms } = body.incoming[0].peers
  expect([...groups, ...vms].join()).toMatch(/web/)
  const by = await center.call('POST', '/v1/policy/reach', { policy: 'published', address: sampleAddress(1) })
  expect(by.body).toMatchObject({ incoming: [], outgoing: [{ services: ['tcp 5432'] }] })
  for (const wrong of [{}, { address: 'x' }, { address: '10.0.0.1', vm: sampleVm(2, 'db').uuid }]) {
    expect((await center.call('POST', '/v1/policy/reach', wrong)).status).toBe(400)
  }
  const nowhere = await center.call('POST', '/v1/policy/reach', { vm: sampleVm(9, 'db').uuid })
  expect(nowhere.status).toBe(404)
})

test('explain tells every rule that was looked at', async () => {
  const { body } = await center.call('POST', '/v1/policy/explain', {
    source: sampleAddress(3),
    destination: sampleAddress(2),
    protocol: 6,
    port: 5432,
    policy: 'published',
  })
  const walk = body.sides[0].walk.map((step: { rule: { name: string }; outcome: string }) => [
    step.rule.name,
    step.outcome,
  ])
  expect(walk).toEqual([['web-to-db', 'other-source']])
})

const routes = ['prove', 'reach', 'lint', 'simulate', 'recommend']
test.each(routes)('%s is for administrators only, refuses unknown fields, and is no audited change', async (route) => {
  const path = `/v1/policy/${route}`
  const nobody = await callCenter(center.url, center.caPem, 'POST', path, {}, {})
  expect(nobody.status).toBe(401)
  expect((await center.call('POST', path, { unknown: 1 })).status).toBe(400)
  const { records } = (await center.call('GET', '/v1/audit')).body
  expect(records.filter((each: { target: string }) => each.target === path)).toEqual([])
})

test('what the store cannot hold is refused with what is wrong, wherever it stands', async () => {
  const refusals: readonly (readonly [string, string, unknown, string])[] = [
    ['PUT', '/v1/policy/draft', { text: samplePolicy(), file: 'a\u0000b' }, 'NUL'],
    ['PUT', '/v1/policy/draft', `${samplePolicy()}# \u0000\n`, 'NUL'],
    ['PUT', '/v1/policy/draft', { text: samplePolicy(), file: 'a\u001B[2Jb' }, 'file: '],
    ['POST', '/v1/policy/prove', { text: samplePolicy(), file: 'a\u2028b' }, 'file: '],
    ['POST', '/v1/policy/recommend', { tenant: 'a\u0000' }, 'NUL'],
    ['POST', '/v1/policy/recommend', { sinceTime: '0000-01-01T00:00:00Z' }, '1970'],
    ['GET', '/v1/flows?tenant=a%00', undefined, 'NUL'],
    ['GET', '/v1/events?sinceTime=0000-01-01T00:00:00Z', undefined, '1970'],
  ]
  for (const [method, path, sent, said] of refusals) {
    const { status, body } = await center.call(method, path, sent)
    expect([path, status, body.code]).toEqual([path, 400, 'api.bad-request'])
    expect(body.message).toContain(said)
  }
  // an offset that ISO 8601 has and the store has not
  const far = { sinceTime: '2026-01-01T00:00:00.000000001+23:59' }
  expect((await center.call('POST', '/v1/policy/recommend', far)).status).toBe(200)
})
