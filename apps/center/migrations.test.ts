// A VM moves between two model agents: what the center asks of each, in which order, and where the VM is guarded whatever fails.
import type { AgentMessage, ApiMigration, CenterMessage } from '@hyperward/protocol'
import { startTestServer, type TestServer } from '@hyperward/store/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'

import { createMigrations, type Migrations } from './services/migrations.ts'
import { samplePolicy, sampleVm } from './testing/sample.ts'
import { connectAgent, type TestAgent } from './testing/test-agent.ts'
import { startTestCenter, type TestCenter } from './testing/test-center.ts'

const web = sampleVm(1, 'web')
let server: TestServer
let center: TestCenter
let source: TestAgent
let target: TestAgent
let migrations: Migrations
/** Of questions, in the order in which they came, by host. */
let asked: string[]

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop(), 60_000)
beforeEach(async () => {
  center = await startTestCenter({ storeUrl: await server.createDatabase() })
  source = await connectAgent(center.url, await center.enroll('host-1'))
  target = await connectAgent(center.url, await center.enroll('host-2'))
  await source.reportInventory([web, sampleVm(2, 'db')])
  await target.reportInventory([sampleVm(3, 'db')])
  await center.call('PUT', '/v1/policy/draft', samplePolicy())
  await center.call('POST', '/v1/policy/publish', {})
  const { services } = center.center
  asked = []
  migrations = createMigrations({ ...services, onFailure: (error) => expect.unreachable(String(error)), waitMs: 1500 })
  await vi.waitFor(async () => {
    const { hosts } = (await center.call('GET', '/v1/hosts')).body
    expect(hosts.map((each: { inForce: boolean }) => each.inForce)).toEqual([true, true])
  })
})
afterEach(async () => {
  await Promise.all([source.close(), target.close()])
  await center.remove()
})

type Question = Extract<CenterMessage, { kind: 'export-connections' | 'import-connections' | 'move-out' }>

async function answer<K extends Question['kind']>(
  agent: TestAgent,
  kind: K,
  toAnswers: (question: Extract<CenterMessage, { kind: K }>) => readonly AgentMessage[],
  fits: (question: Extract<CenterMessage, { kind: K }>) => boolean = () => true,
): Promise<void> {
  const question = await agent.expect(kind, fits)
  asked.push(`${agent.host} ${kind}`)
  for (const message of toAnswers(question)) agent.send(message)
}

const start = (): Promise<ApiMigration> => migrations.start(web.uuid, { host: 'host-2' })
const over = (): Promise<ApiMigration> =>
  vi.waitFor(
    () => {
      const found = migrations.find(web.uuid)
      if (found === null || found.state === 'running') throw new Error('it goes on')
      return found
    },
    { timeout: 8000 },
  )

/** Hosts whose plan has the VM. */
async function guardedAt(): Promise<readonly string[]> {
  const { publisher } = center.center.services
  await publisher.settled()
  const plans = publisher.compiled()?.plans ?? []
  return plans
    .filter((plan) => plan.sections.endpoints.some((one) => one.id.startsWith(web.uuid)))
    .map((plan) => plan.host)
}

const exported = (id: number, carried: string): AgentMessage => ({ kind: 'connections', id, carried, reason: null })

test('the target guards it before libvirt is asked; connections are carried twice; then it is the target’s alone', async () => {
  await start()
  await answer(source, 'export-connections', ({ id }) => [exported(id, 'Zmlyc3Q=')])
  expect(await guardedAt()).toEqual(['host-1', 'host-2'])
  await answer(target, 'import-connections', ({ id }) => [{ kind: 'carried-in', id, reason: null }])
  await answer(source, 'move-out', ({ id, destination }) => {
    expect(destination).toBe('qemu+tls://host-2/system')
    return [exported(id, 'c2Vjb25k')]
  })
  const isSecond = ({ carried }: { readonly carried: string }): boolean => carried === 'c2Vjb25k'
  await answer(target, 'import-connections', ({ id }) => [{ kind: 'carried-in', id, reason: null }], isSecond)
  expect(asked.at(-1)).toBe('host-2 import-connections')
  // both have it while it moves: no contest
  await target.reportInventory([sampleVm(3, 'db'), web])
  expect(center.center.services.inventory.contests()).toEqual([])
  const { id } = await source.expect('move-out')
  source.send({ kind: 'moved-out', id, reason: null })
  await source.reportInventory([sampleVm(2, 'db')])
  expect(await over()).toMatchObject({ state: 'done', from: 'host-1', to: 'host-2', reason: null })
  expect(await guardedAt()).toEqual(['host-2'])
  const { events } = (await center.call('GET', '/v1/events')).body
  expect(events.filter((one: { kind: string }) => one.kind === 'migration')).toHaveLength(6)
})

test('libvirt’s refusal leaves it guarded at its source alone', async () => {
  await start()
  await answer(source, 'export-connections', ({ id }) => [exported(id, '')])
  await answer(target, 'import-connections', ({ id }) => [{ kind: 'carried-in', id, reason: null }])
  await answer(source, 'move-out', ({ id }) => [
    { kind: 'moved-out', id, reason: 'libvirt.call-failed: no such bridge' },
  ])
  expect(await over()).toMatchObject({ state: 'failed', reason: expect.stringContaining('no such bridge') })
  expect(await guardedAt()).toEqual(['host-1'])
})

test('a source whose agent ends in the middle: both guard it until one of them alone has it', async () => {
  await start()
  await answer(source, 'export-connections', ({ id }) => [exported(id, '')])
  await answer(target, 'import-connections', ({ id }) => [{ kind: 'carried-in', id, reason: null }])
  await source.expect('move-out')
  await target.reportInventory([sampleVm(3, 'db'), web])
  await source.close()
  expect(await over()).toMatchObject({ state: 'failed', reason: expect.stringContaining('connection ended') })
  expect(await guardedAt()).toEqual(['host-1', 'host-2'])
})

test('a target that cannot take the connections, or loses its agent, does not hold the VM up', async () => {
  await start()
  await answer(source, 'export-connections', ({ id }) => [exported(id, '')])
  await answer(target, 'import-connections', ({ id }) => [{ kind: 'carried-in', id, reason: 'the table is full' }])
  await answer(source, 'move-out', ({ id }) => [{ kind: 'moved-out', id, reason: null }])
  await target.reportInventory([sampleVm(3, 'db'), web])
  await source.reportInventory([sampleVm(2, 'db')])
  const done = await over()
  expect(done.state).toBe('done')
  expect(done.steps.map(({ step }) => step)).toContainEqual(expect.stringContaining('the table is full'))
})

test('what must not begin does not: the same host, one unknown, one not connected, twice', async () => {
  const to = (host: string): Promise<ApiMigration> => migrations.start(web.uuid, { host })
  await expect(to('host-1')).rejects.toMatchObject({ code: 'migration.refused' })
  await expect(to('host-9')).rejects.toMatchObject({ code: 'api.not-found' })
  await start()
  await expect(start()).rejects.toMatchObject({ code: 'migration.refused' })
  await answer(source, 'export-connections', ({ id }) => [{ kind: 'connections', id, carried: null, reason: 'no' }])
  expect((await over()).state).toBe('failed')
  await target.close()
  await vi.waitFor(() => expect(center.center.services.registry.find('host-2')).toBeNull())
  await expect(start()).rejects.toMatchObject({ code: 'agent.not-connected' })
  expect(await guardedAt()).toEqual(['host-1'])
})
