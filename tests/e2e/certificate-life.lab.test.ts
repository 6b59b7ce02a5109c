// A host's certificate from enrolment to its end, between the real engine and the real center; the kernel and libvirt are models, so that every change of the
// data path is seen. Certificates are made old by the center's clock: TLS itself judges by the machine's.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { createKeyAndCsr, type Enrolled } from '@hyperward/pki'
import { parseHostPlan } from '@hyperward/policy'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'

import { connectWebsocket } from '../../apps/access-engine/channel/connect-websocket.ts'
import type { EngineOptions } from '../../apps/access-engine/engine-options.ts'
import { createEngine, type Engine } from '../../apps/access-engine/engine.ts'
import {
  loadHostIdentity,
  readCertificateLife,
  saveHostIdentity,
  type HostIdentity,
} from '../../apps/access-engine/enroll/host-identity.ts'
import { createPlanStore } from '../../apps/access-engine/plan/plan-store.ts'
import { createKernelModel, type KernelModel } from '../../apps/access-engine/testing/kernel-model.ts'
import { createLibvirtModel, type LibvirtModel } from '../../apps/access-engine/testing/libvirt-model.ts'
import { sampleHost, samplePlan, sampleVm } from '../../apps/access-engine/testing/sample-plan.ts'
import { connectAgent } from '../../apps/center/testing/test-agent.ts'
import { startTestCenter, type TestCenter } from '../../apps/center/testing/test-center.ts'
import { startTestServer, type TestServer } from '../../lib/store/testing/test-server.ts'

const hourMs = 3_600_000
const files = {
  readFile: readFileIfExists,
  writeFile: (path: string, text: string): Promise<void> => writeFileAtomic(path, text, { mode: 0o600 }),
}
let server: TestServer
let center: TestCenter
let centerAgoMs = 0
let stateDir: string
let kernel: KernelModel
let libvirt: LibvirtModel
let engine: Engine | null = null
let said: string[] = []

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())
beforeEach(async () => {
  centerAgoMs = 0
  said = []
  stateDir = mkdtempSync(join(tmpdir(), 'hwa-life-'))
  kernel = createKernelModel()
  libvirt = createLibvirtModel(kernel)
  center = await startTestCenter({
    storeUrl: await server.createDatabase(),
    clock: () => new Date(Date.now() - centerAgoMs),
    channel: { heartbeatMs: 200 },
  })
})
afterEach(async () => {
  await engine?.stop()
  engine = null
  await center.remove()
  rmSync(stateDir, { recursive: true })
  expect(kernel.leaks).toEqual([])
})

/** Enrolled so long ago; a certificate lives 24 h and is due at two thirds of that. */
async function enrollAgo(agoMs: number): Promise<Enrolled> {
  centerAgoMs = agoMs
  const enrolled = await center.enroll(sampleHost)
  centerAgoMs = 0
  await saveHostIdentity(stateDir, { ...enrolled, center: center.url }, files)
  return enrolled
}

async function startEngine(overrides: Partial<EngineOptions> = {}): Promise<Engine> {
  const note = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`)
  engine = createEngine({
    host: sampleHost,
    software: 'test',
    kernel: 'test',
    stream: `stream-${Math.random()}`,
    datapath: kernel.datapath,
    driver: { name: 'ebpf', reason: 'it is the model’s' },
    kernelLacks: null,
    door: kernel.door,
    store: createPlanStore({
      ...files,
      stateDir,
      host: sampleHost,
      parsePlan: (text) => parseHostPlan(text, sha256Hex),
    }),
    openLibvirt: (handlers) => libvirt.openSession(handlers),
    moveOut: async () => undefined,
    links: libvirt.links,
    isSameLink: (link) => kernel.isSameLink(link),
    connectCenter: (identity, handlers) =>
      connectWebsocket({ center: identity.center, path: '/v1/agent', identity }, handlers),
    loadIdentity: () => loadHostIdentity(stateDir, files),
    saveIdentity: (identity) => saveHostIdentity(stateDir, identity, files),
    createKeyAndCsr: () => createKeyAndCsr(sampleHost),
    log: { debug: () => undefined, info: note, warn: note, error: note },
    now: () => Date.now(),
    random: () => 0,
    intervals: { identity: 100, renewal: 300, round: 100 },
    ...overrides,
  })
  await engine.start()
  return engine
}

const saved = async (): Promise<HostIdentity> => {
  const identity = await loadHostIdentity(stateDir, files)
  if (identity === null) throw new Error('nothing is saved')
  return identity
}
const channel = (): unknown => engine?.state()
const until = (what: () => unknown): Promise<unknown> => vi.waitFor(what, { timeout: 8000, interval: 20 })
const calm = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const connects = (): number => said.filter((line) => line.startsWith('center channel {"channel":"connected"')).length

test('a certificate in its first two thirds is left alone', async () => {
  const before = await enrollAgo(15 * hourMs)
  await startEngine()
  await until(() => expect(channel()).toMatchObject({ channel: { kind: 'connected' } }))
  await calm(800)
  expect((await saved()).certificatePem).toBe(before.certificatePem)
})

test('at two thirds of its life a certificate is renewed over the channel, the new one is used, and the old one lapses by itself', async () => {
  const before = await enrollAgo(17 * hourMs)
  await startEngine()
  await until(async () => expect((await saved()).certificatePem).not.toBe(before.certificatePem))
  const after = await saved()
  expect(after.keyPem).not.toBe(before.keyPem)
  expect(readCertificateLife(after).endsAt).toBeGreaterThan(Date.now() + 23 * hourMs)
  // connected a second time, and what is shown now is the new certificate
  await until(() => expect(connects()).toBe(2))
  expect(channel()).toMatchObject({
    channel: { kind: 'connected' },
    certificate: { endsAt: new Date(readCertificateLife(after).endsAt).toISOString(), problem: null },
  })
  // once: the new one is not due
  await calm(800)
  expect((await saved()).certificatePem).toBe(after.certificatePem)
  expect(connects()).toBe(2)
  await engine?.stop()
  // the old one is of this center until its own end, and no longer
  centerAgoMs = -8 * hourMs
  await expect(connectAgent(center.url, before)).rejects.toThrow('401')
  const agent = await connectAgent(center.url, { ...before, ...after })
  expect((await agent.expect('welcome')).host).toBe(sampleHost)
  await agent.close()
})

test('a renewal that fails leaves the certificate in use and is tried again', async () => {
  const before = await enrollAgo(17 * hourMs)
  let asked = 0
  let saves = 0
  await startEngine({
    createKeyAndCsr: async () => {
      asked += 1
      const made = await createKeyAndCsr(sampleHost)
      // the first request is signed by nobody, the second certificate meets a full disk
      return asked === 1 ? { ...made, csrPem: made.csrPem.replace(/[A-Za-z0-9]{8}\n/, 'AAAAAAAA\n') } : made
    },
    saveIdentity: async (identity) => {
      saves += 1
      if (saves === 1) throw new OperationError('os.no-space', 'no space is left', {})
      await saveHostIdentity(stateDir, identity, files)
    },
  })
  await until(() => expect(said.join('\n')).toContain('could not be saved'))
  expect((await saved()).certificatePem).toBe(before.certificatePem)
  await until(async () => expect((await saved()).certificatePem).not.toBe(before.certificatePem))
  expect(said.join('\n')).toContain('pki.csr-invalid')
  expect([asked, saves]).toEqual([3, 2])
  await until(() => expect(channel()).toMatchObject({ channel: { kind: 'connected' } }))
})

test('a certificate that ended while the host was off is told, the data path is unchanged, and enrolling again needs no restart', async () => {
  libvirt.startVm(1)
  const { plan, text } = samplePlan(1, [1])
  await writeFileAtomic(join(stateDir, 'plan.json'), text)
  await enrollAgo(25 * hourMs)
  await startEngine()
  await until(() => expect([...kernel.enforced.values()]).toEqual([sampleVm(1).endpoint]))
  await until(() => expect(said.join('\n')).toContain('agent.certificate-ended'))
  await until(() =>
    expect(channel()).toMatchObject({
      channel: { kind: 'disconnected', reason: expect.stringMatching(/401|certificate|alert/) },
    }),
  )
  kernel.changes.length = 0
  await calm(600)
  expect(said.filter((line) => line.includes('agent.certificate-ended'))).toHaveLength(1)
  expect(kernel.changes).toEqual([])
  expect(kernel.plan?.digest).toBe(plan.digest)

  await enrollAgo(0)
  await until(() => expect(channel()).toMatchObject({ channel: { kind: 'connected' }, certificate: { problem: null } }))
  expect([...kernel.enforced.values()]).toEqual([sampleVm(1).endpoint])
})

test('a certificate that ends while the host is connected cuts it, and it is told why', async () => {
  // 24 h ago but two seconds; a host that cannot renew
  await enrollAgo(24 * hourMs - 3000)
  await startEngine({ createKeyAndCsr: async () => ({ keyPem: '', csrPem: 'none' }) })
  await until(() => expect(channel()).toMatchObject({ channel: { kind: 'connected' } }))
  await until(() => expect(said.join('\n')).toContain('agent.certificate-ended'))
  expect(channel()).toMatchObject({ channel: { kind: 'disconnected' } })
})
