import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { parseHostPlan } from '@hyperward/policy'
import type { AgentEvent, AgentMessage } from '@hyperward/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { createEngine, type Engine } from './engine.ts'
import { createPlanStore } from './plan/plan-store.ts'
import { createCenterModel, type CenterModel } from './testing/center-model.ts'
import { createKernelModel, type KernelModel } from './testing/kernel-model.ts'
import { createLibvirtModel, type LibvirtModel } from './testing/libvirt-model.ts'
import { sampleHost, samplePlan, sampleVm } from './testing/sample-plan.ts'

const engines: Engine[] = []
let stateDir = ''
let kernel: KernelModel = createKernelModel()
let libvirt: LibvirtModel = createLibvirtModel(kernel)
let center: CenterModel = createCenterModel()

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'hwa-engine-'))
  kernel = createKernelModel()
  libvirt = createLibvirtModel(kernel)
  center = createCenterModel()
})
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop()
  rmSync(stateDir, { recursive: true })
  expect(kernel.leaks).toEqual([])
})

/** Real files, real timers made short; the kernel, libvirt and the center are models. */
async function startEngine(): Promise<Engine> {
  const quiet = (): void => undefined
  const engine = createEngine({
    host: sampleHost,
    software: 'test',
    kernel: 'test',
    stream: `stream-${Math.random()}`,
    datapath: kernel.datapath,
    driver: { name: 'ebpf', reason: 'it is the model’s' },
    kernelLacks: null,
    door: kernel.door,
    store: createPlanStore({
      stateDir,
      host: sampleHost,
      parsePlan: (text) => parseHostPlan(text, sha256Hex),
      readFile: readFileIfExists,
      writeFile: (path, text) => writeFileAtomic(path, text),
    }),
    openLibvirt: (handlers) => libvirt.openSession(handlers),
    moveOut: async (request, onStopped) => libvirt.moveOut(request.vm, onStopped),
    links: libvirt.links,
    isSameLink: (link) => kernel.isSameLink(link),
    connectCenter: (_identity, handlers) => center.connect(handlers),
    loadIdentity: async () => ({ host: sampleHost, center: 'https://c', keyPem: '', certificatePem: '', caPem: '' }),
    saveIdentity: async () => undefined,
    // the certificate is empty: nothing here asks for its life
    createKeyAndCsr: async () => ({ keyPem: '', csrPem: '' }),
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    now: () => Date.now(),
    random: () => 0,
    renew: false,
    intervals: { round: 100, status: 50, verify: 150, follow: 100 },
  })
  engines.push(engine)
  await engine.start()
  return engine
}

function announce(revision: number, vms: readonly number[]): void {
  const { plan } = samplePlan(revision, vms)
  center.announced = plan
  center.send({ kind: 'plan-available', revision, digest: plan.digest })
}

const ofKind = <K extends AgentMessage['kind']>(kind: K): Extract<AgentMessage, { kind: K }>[] =>
  center.received.filter((message): message is Extract<AgentMessage, { kind: K }> => message.kind === kind)
const openVms = (): readonly string[] => [...kernel.open].map((ifindex) => kernel.enforced.get(ifindex) ?? 'a leak')
const agentEvents = (): readonly AgentEvent[] => center.stored.flatMap((batch) => batch.agent)
const until = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 4000, interval: 5 })
const calm = (ms = 300): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a published plan is fetched, saved, enforced and reported', async () => {
  libvirt.startVm(1)
  await startEngine()
  await until(() =>
    expect(
      ofKind('inventory')
        .at(-1)
        ?.vms.map((vm) => vm.name),
    ).toEqual(['vm1']),
  )
  expect(openVms()).toEqual([])
  announce(1, [1])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ revision: 1, outcome: 'applied' }))
  expect(openVms()).toEqual([sampleVm(1).endpoint])
  await until(() => expect(ofKind('status').at(-1)?.endpoints[0]).toMatchObject({ state: 'enforced', device: 'vnet1' }))
})

test('after a restart the saved plan is enforced before the center is reached', async () => {
  libvirt.startVm(1)
  const first = await startEngine()
  announce(1, [1, 2])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  await first.stop()
  center.mode = 'away'
  libvirt.startVm(2)
  await startEngine()
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint, sampleVm(2).endpoint]))
  expect(ofKind('hello')).toHaveLength(1)
})

test('a plan older than the one held is refused, the newer one stays in force, and the center is told', async () => {
  libvirt.startVm(1)
  libvirt.startVm(2)
  await startEngine()
  announce(5, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  announce(4, [1, 2])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ revision: 4, outcome: 'refused' }))
  expect(ofKind('plan-result').at(-1)?.reason).toContain('plan.stale')
  await calm()
  expect(openVms()).toEqual([sampleVm(1).endpoint])
})

test('a plan damaged on its way is refused, told, and nothing opens', async () => {
  libvirt.startVm(1)
  await startEngine()
  center.damage = (message) =>
    message.kind === 'plan-chunks'
      ? { ...message, chunks: message.chunks.map((chunk) => ({ ...chunk, body: chunk.body.replace('vm1', 'vm9') })) }
      : message
  announce(1, [1])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ outcome: 'refused' }))
  await until(() => expect(agentEvents().map((one) => one.kind)).toContain('plan-refused'))
  expect(openVms()).toEqual([])
})

test('stopping the engine, and the absence of the center, change nothing on the data path', async () => {
  libvirt.startVm(1)
  const first = await startEngine()
  announce(1, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  kernel.changes.length = 0
  center.mode = 'away'
  center.breakConnection('reset')
  await calm()
  await first.stop()
  await startEngine()
  await calm()
  expect(kernel.changes).toEqual([])
})

test('a libvirt that hangs, and one that is restarted, change nothing on the data path and are told', async () => {
  libvirt.startVm(1)
  await startEngine()
  announce(1, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  kernel.changes.length = 0
  libvirt.hangs = true
  await until(() => expect(agentEvents().map((one) => one.kind)).toContain('libvirt-lost'))
  await calm()
  libvirt.hangs = false
  await until(() => expect(agentEvents().map((one) => one.kind)).toContain('libvirt-back'))
  libvirt.restart()
  await calm(800)
  expect(kernel.changes).toEqual([])
  // a VM that starts afterwards is seen: the engine is subscribed anew
  announce(2, [1, 2])
  libvirt.startVm(2)
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint, sampleVm(2).endpoint]))
})

test('an engine started while libvirt is away keeps open what was open, and reports no inventory', async () => {
  libvirt.startVm(1)
  const first = await startEngine()
  announce(1, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  await first.stop()
  center.received.length = 0
  kernel.changes.length = 0
  libvirt.hangs = true
  await startEngine()
  await until(() => expect(ofKind('hello')).toHaveLength(1))
  await calm()
  expect(kernel.changes).toEqual([])
  expect(ofKind('inventory')).toEqual([])
})

test('a damaged saved plan is told, what is loaded stays, nothing opens, and the plan sent again puts it right', async () => {
  libvirt.startVm(1)
  const first = await startEngine()
  announce(1, [1, 2])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  await first.stop()
  writeFileSync(join(stateDir, 'plan.json'), '{"format":')
  kernel.changes.length = 0
  center.mode = 'away'
  libvirt.startVm(2)
  await startEngine()
  await calm()
  expect(kernel.changes).toEqual([])
  center.mode = 'there'
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint, sampleVm(2).endpoint]))
  expect(agentEvents().some((one) => one.kind === 'plan-refused' && one.message.includes('saved plan'))).toBe(true)
})

test('asked to verify, it tells what is there against what it enforces, before anything is put right', async () => {
  libvirt.startVm(1)
  libvirt.startVm(2)
  await startEngine()
  announce(1, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  const asked = async (id: number): Promise<Extract<AgentMessage, { kind: 'verified' }>> => {
    center.send({ kind: 'verify', id })
    await until(() => expect(ofKind('verified').map((one) => one.id)).toContain(id))
    return ofKind('verified').find((one) => one.id === id) ?? expect.fail('no answer')
  }
  expect((await asked(1)).state).toMatchObject({
    plan: { revision: 1 },
    endpoints: [
      { vmName: 'vm1', state: 'realized', findings: [] },
      { vmName: 'vm2', state: 'closed', reason: 'no-plan', findings: [] },
    ],
  })
  kernel.open.clear()
  expect((await asked(2)).state?.endpoints[0]).toMatchObject({
    state: 'differs',
    findings: ['its door is shut: nothing passes'],
  })
  kernel.doorsUnreadable = true
  expect(await asked(3)).toMatchObject({ state: null, reason: 'nft is gone' })
})

test('drift is told and put right', async () => {
  libvirt.startVm(1)
  await startEngine()
  announce(1, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  kernel.enforced.delete([...kernel.enforced.keys()][0] ?? 0)
  kernel.drift.push('vnet1: the program is gone')
  await until(() => expect(agentEvents().filter((one) => one.kind === 'drift')).toHaveLength(1))
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  await until(() => expect(ofKind('status').at(-1)?.drift).toBe(1))
})

test('what is wrong with a VM is told once, and it stays closed alone', async () => {
  libvirt.startVm(1)
  libvirt.startVm(2, { tenant: null, problems: ['libvirt.metadata-malformed: unknown element "x"'] })
  await startEngine()
  announce(1, [1])
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  await until(() => expect(agentEvents().filter((one) => one.kind === 'vm-metadata')).toHaveLength(1))
  await calm()
  expect(
    agentEvents()
      .filter((one) => one.kind === 'vm-metadata')
      .map((one) => one.message),
  ).toEqual(['vm2: libvirt.metadata-malformed: unknown element "x"'])
})

test('a VM that starts with the plan already held is opened at once, and its end leaves nothing open', async () => {
  await startEngine()
  announce(1, [1])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ outcome: 'applied' }))
  libvirt.startVm(1)
  await until(() => expect(openVms()).toEqual([sampleVm(1).endpoint]))
  libvirt.stopVm(1)
  await until(() => expect(ofKind('inventory').at(-1)?.vms).toEqual([]))
  expect(kernel.open.size).toBe(0)
})

test('after a change only the chunks that are new are fetched, also after a restart', async () => {
  const first = await startEngine()
  announce(1, [1, 2])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ revision: 1, outcome: 'applied' }))
  // endpoints, the zone, the default drop; nothing else is in the sample
  expect(center.sentChunks).toHaveLength(3)
  await first.stop()
  center.sentChunks.length = 0
  center.mode = 'away'
  center.announced = samplePlan(2, [1, 3]).plan
  await startEngine()
  center.mode = 'there'
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ revision: 2, outcome: 'applied' }))
  expect(center.sentChunks).toHaveLength(1)
})

test('a plan superseded while it is fetched gives way to the newer one', async () => {
  await startEngine()
  center.damage = (message) => {
    // the answer is of a plan that is not wanted any more when it arrives
    if (message.kind === 'plan-sections' && message.revision === 1) announce(2, [1, 2])
    return message
  }
  announce(1, [1])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ revision: 2, outcome: 'applied' }))
  expect(ofKind('plan-result').map((result) => result.revision)).toEqual([2])
})

test('the operating system and the virtual network of a VM are reported', async () => {
  libvirt.startVm(1, { os: 'debian 12' })
  libvirt.startVm(2)
  await startEngine()
  await until(() => expect(ofKind('inventory').at(-1)?.vms).toHaveLength(2))
  const [one, two] = ofKind('inventory').at(-1)?.vms ?? []
  expect(one).toMatchObject({ os: 'debian 12', endpoints: [{ segment: 'br0' }] })
  expect(two).not.toHaveProperty('os')
})

test('a VM that moves out: its connections are told before and when it stops, then how it ended; one that is not here is refused', async () => {
  libvirt.startVm(1)
  await startEngine()
  announce(1, [1])
  const { endpoint } = sampleVm(1)
  const vm = endpoint.slice(0, endpoint.indexOf('/'))
  await until(() => expect(openVms()).toEqual([endpoint]))
  const carried = Buffer.from(`of ${endpoint}`).toString('base64')
  center.send({ kind: 'export-connections', id: 1, vm })
  await until(() => expect(ofKind('connections')).toEqual([{ kind: 'connections', id: 1, carried, reason: null }]))
  libvirt.refusesToMove = true
  const move = { kind: 'move-out', vm, destination: 'qemu+tls://b/system', migrateUri: null } as const
  center.send({ ...move, id: 2 })
  await until(() => expect(ofKind('moved-out').at(-1)).toMatchObject({ id: 2, reason: expect.stringContaining('no') }))
  expect(openVms()).toEqual([endpoint])
  libvirt.refusesToMove = false
  center.send({ ...move, id: 3 })
  await until(() => expect(ofKind('moved-out').at(-1)).toEqual({ kind: 'moved-out', id: 3, reason: null }))
  expect(ofKind('connections').at(-1)).toMatchObject({ id: 3, carried })
  await until(() => expect(ofKind('inventory').at(-1)?.vms).toEqual([]))
  await until(() => expect(kernel.open.size).toBe(0))
  center.send({ kind: 'export-connections', id: 4, vm })
  await until(() => expect(ofKind('connections').at(-1)).toMatchObject({ id: 4, carried: null }))
})

test('connections of a VM that comes are taken over only when the plan enforced here has it', async () => {
  await startEngine()
  announce(1, [1])
  await until(() => expect(ofKind('plan-result').at(-1)).toMatchObject({ outcome: 'applied' }))
  const carry = (id: number, n: number): void => {
    const [vm = ''] = sampleVm(n).endpoint.split('/')
    center.send({ kind: 'import-connections', id, vm, carried: Buffer.from('x').toString('base64') })
  }
  carry(1, 1)
  await until(() => expect(ofKind('carried-in').at(-1)).toEqual({ kind: 'carried-in', id: 1, reason: null }))
  expect(kernel.changes.at(-1)).toBe(`carried in for ${sampleVm(1).endpoint}: x`)
  carry(2, 2)
  await until(() =>
    expect(ofKind('carried-in').at(-1)).toMatchObject({ id: 2, reason: expect.stringContaining('not in the plan') }),
  )
})
