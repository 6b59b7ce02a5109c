// What changes what is in force without anybody publishing: schedules, expiry dates, and the inventory under guarantees.
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent } from './testing/test-agent.ts'
import { startTestCenter, type TestCenter } from './testing/test-center.ts'

let server: TestServer
let storeUrl: string
let center: TestCenter
const minuteMs = 60_000
/** TLS judges by the system's clock: the center's is never far from it. */
const begun = Math.floor(Date.now() / minuteMs) * minuteMs
const clock = { ms: begun }
const after = (minutes: number): number => begun + minutes * minuteMs
const wall = (minutes: number): string => new Date(after(minutes)).toISOString().slice(11, 16)

const start = (data?: string, proofLimitMs = 60_000): Promise<TestCenter> =>
  startTestCenter({
    storeUrl,
    lookEveryMs: 20,
    proofLimitMs,
    clock: () => new Date(clock.ms),
    ...(data === undefined ? {} : { data }),
  })

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
beforeEach(async () => {
  clock.ms = begun
  storeUrl = await server.createDatabase()
})
afterEach(() => center.remove())

const office = `${samplePolicy()}          - { name: by-day, from: db, to: web, service: { tcp: 80 }, action: allow, schedule: office }
          - { name: for-now, from: db, to: web, service: { tcp: 81 }, action: allow, expires: "${new Date(after(3)).toISOString()}" }
    schedules:
      office: { time-zone: UTC, windows: [{ from: "${wall(2)}", to: "${wall(4)}" }] }
`

async function publish(
  text: string,
): Promise<{ status: number; body: { code?: string; message?: string; details?: object } }> {
  expect(await center.call('PUT', '/v1/policy/draft', text)).toMatchObject({ status: 200 })
  return center.call('POST', '/v1/policy/publish', {})
}

const events = async (kind: string): Promise<readonly string[]> =>
  (await center.call('GET', `/v1/events?kind=${kind}`)).body.events.map((event: { message: string }) => event.message)
const publications = async (): Promise<readonly (readonly [number, string])[]> =>
  (await center.call('GET', '/v1/policy/publications')).body.publications
    .map((each: { revision: number; cause: string }) => [each.revision, each.cause])
    .toReversed()
const ports = (body: string): readonly number[] =>
  JSON.parse(body).sections.services.flatMap((each: { from: number; to: number }) =>
    each.from === each.to ? [each.from] : [],
  )

test('a rule comes and goes by its schedule and its expiry date, each time at a revision of its own that is told', async () => {
  center = await start()
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  expect(await publish(office)).toMatchObject({ status: 200 })
  const first = await agent.expectPlan()
  clock.ms = after(2)
  const second = await agent.expectPlan((plan) => plan.revision === 2)
  clock.ms = after(3)
  const third = await agent.expectPlan((plan) => plan.revision === 3)
  clock.ms = after(4)
  const fourth = await agent.expectPlan((plan) => plan.revision === 4)
  const verdicts = [first, second, third, fourth].map(({ body }) => {
    const { rules, verdicts: rows } = JSON.parse(body).sections
    const names = new Map<number, string>(
      rules.map((rule: { number: number; name: string }) => [rule.number, rule.name]),
    )
    const refs: readonly string[] = rows.map((row: { rule: number }) => names.get(row.rule) ?? '')
    return [...new Set(refs)].sort()
  })
  expect(verdicts).toEqual([
    ['for-now', 'web-to-db'],
    ['by-day', 'for-now', 'web-to-db'],
    ['by-day', 'web-to-db'],
    ['web-to-db'],
  ])
  expect(await publications()).toEqual([
    [1, 'publish'],
    [2, 'schedule'],
    [3, 'schedule'],
    [4, 'schedule'],
  ])
  expect(ports(first.body)).toContain(5432)
  const told = await events('schedule')
  expect(told).toEqual([
    expect.stringContaining('hold from now on: tenant:acme/app/by-day'),
    expect.stringContaining('hold no more: tenant:acme/app/for-now'),
    expect.stringContaining('hold no more: tenant:acme/app/by-day'),
  ])
  // what does not hold now still counts as a rule of the policy
  const { rules } = (await center.call('GET', '/v1/rules')).body
  expect(rules.map((each: { rule: { name: string } }) => each.rule.name)).toContain('for-now')
  await agent.close()
})

test('a change that was due while the center was away is made when it is back', async () => {
  center = await start()
  const identity = await center.enroll('host-1')
  const agent = await connectAgent(center.url, identity)
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await publish(office)
  await agent.expectPlan()
  await center.stop()
  clock.ms = after(2)
  center = await start(center.data)
  expect(await publications()).toEqual([
    [1, 'publish'],
    [2, 'schedule'],
  ])
  const back = await connectAgent(center.url, identity)
  expect((await back.expectPlan()).body).toContain('by-day')
  await back.close()
})

test('a clock that is set back takes away what only held later', async () => {
  center = await start()
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  await publish(office)
  clock.ms = after(3)
  expect((await agent.expectPlan((plan) => plan.revision === 2)).body).not.toContain('for-now')
  clock.ms = after(1)
  const { body } = await agent.expectPlan((plan) => plan.revision === 3)
  expect([body.includes('by-day'), body.includes('for-now')]).toEqual([false, true])
  await agent.close()
})

test('a turn whose plans would be too large is tried again, with pauses', async () => {
  const many = Array.from(
    { length: 60 },
    (_, at) =>
      `          - { name: by-day-${at}, from: db, to: web, service: { tcp: ${1000 + 2 * at} }, action: allow, schedule: office }\n`,
  )
  let looks = 0
  center = await startTestCenter({
    storeUrl,
    lookEveryMs: 20,
    maxPlanBytes: 8000,
    clock: () => {
      looks += 1
      return new Date(clock.ms)
    },
  })
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db')])
  const schedules = office.slice(office.indexOf('    schedules:'))
  expect(await publish(`${samplePolicy()}${many.join('')}${schedules}`)).toMatchObject({ status: 200 })
  await agent.expectPlan()
  clock.ms = after(2)
  const problem = async (): Promise<string | null> => (await center.call('GET', '/v1/status')).body.inventoryProblem
  await expect.poll(problem).toMatch(/the plan of host-1 has \d+ bytes/)
  looks = 0
  await new Promise((resolve) => setTimeout(resolve, 400))
  // one look at the clock each 20 ms, and no compile
  expect(looks).toBeLessThan(60)
  expect(await publications()).toEqual([[1, 'publish']])
  await agent.close()
})

const guarded = `${samplePolicy()}    guarantees:
      - { name: db-closed, never: { from: { not: web }, to: db } }
`
const open = guarded.replace('from: web,', 'from: any,')

test('a policy that breaks a guarantee is not published, and the refusal shows a connection that breaks it', async () => {
  center = await start()
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  await agent.reportInventory([sampleVm(1, 'web'), sampleVm(2, 'db'), sampleVm(3, 'mail')])
  expect(await publish(guarded)).toMatchObject({ status: 200 })
  const { status, body } = await publish(open)
  expect([status, body.code]).toEqual([409, 'policy.guarantee-broken'])
  expect(body.details).toMatchObject({
    guarantee: 'acme/db-closed',
    broken: 1,
    destination: '10.0.0.2',
    protocol: 6,
    port: 5432,
  })
  expect(body.message).toMatch(
    /tcp 5432 from .* to acme\/db-2 \(10\.0\.0\.2\) is allow \(.*allow by tenant:acme\/app\/web-to-db/,
  )
  expect(await publications()).toEqual([[1, 'publish']])
  await agent.close()
})

test('an inventory that breaks a guarantee is told, once, and told again when it holds', async () => {
  center = await start()
  const agent = await connectAgent(center.url, await center.enroll('host-1'))
  const vms = [sampleVm(1, 'web'), sampleVm(2, 'db'), sampleVm(3, 'mail')]
  await agent.reportInventory(vms)
  const text = guarded.replace('never: { from: { not: web }', 'never: { from: { labels: { zone: outer } }')
  expect(await publish(text)).toMatchObject({ status: 200 })
  const outer = { ...sampleVm(1, 'web'), labels: { role: 'web', zone: 'outer' } }
  for (const others of [[], [sampleVm(4, 'mail')]]) {
    await agent.reportInventory([outer, ...vms.slice(1), ...others])
    await center.center.services.publisher.settled()
  }
  expect(await events('guarantee-broken')).toEqual([
    expect.stringContaining('acme/db-closed (never) does not hold: tcp 5432 from acme/web-1'),
  ])
  const broken = async (): Promise<unknown> => (await center.call('GET', '/v1/status')).body.brokenGuarantees
  expect(await broken()).toEqual(['acme/db-closed'])
  await agent.reportInventory(vms)
  await center.center.services.publisher.settled()
  expect(await broken()).toEqual([])
  expect(await events('guarantee-holds-again')).toEqual(['guarantee acme/db-closed holds again'])
  await agent.close()
})

test('what cannot be proved in time is not published, and told where it is in force already', async () => {
  center = await start()
  expect(await publish(guarded)).toMatchObject({ status: 200 })
  await center.stop()
  center = await start(center.data, 1)
  const problem = async (): Promise<string | null> => (await center.call('GET', '/v1/status')).body.inventoryProblem
  await expect.poll(problem).toMatch(/guarantees hold is not known/)
  const { status, body } = await publish(guarded.replace('5432', '5433'))
  expect([status, body.code]).toEqual([422, 'policy.question-too-long'])
  expect(await publications()).toEqual([[1, 'publish']])
})
