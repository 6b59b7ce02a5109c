/** A virtual machine moves between two hosts under policy: real libvirt, guests, driver, agents, center and command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import {
  buildGuestImage,
  cleanupStale,
  createFabric,
  createGuestAgent,
  createLab,
  guestDomainXml,
  startGuest,
  waitFor,
  type Fabric,
  type FabricHost,
  type GuestAgent,
  type GuestImage,
  type Lab,
} from '@hyperward/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createCli, enrollAndStartAgent, loadDoor, startCenter, type Cli } from '../../apps/demo/programs.ts'

const policy = `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      shop: { labels: { app: shop } }
    services:
      http: { tcp: [80] }
    policies:
      - policy: shop
        rules:
          - { name: web, from: shop, to: shop, service: http, action: allow }
`
let lab: Lab
let fabric: Fabric
let image: GuestImage
let cli: Cli
let north: FabricHost
let south: FabricHost
let near: GuestAgent
let far: GuestAgent

const optionsOf = (n: number) => ({
  name: `g${n}`,
  uuid: `11111111-2222-4333-8444-55555555560${n}`,
  tenant: 'acme',
  labels: { app: 'shop' },
  mac: `52:54:00:00:00:0${n}`,
  addresses: [`10.20.0.1${n}/16`],
})

/** Its socket lies under /run, of which each host has its own. */
const agentAt = (host: FabricHost): GuestAgent => createGuestAgent(join(host.dir, 'run/hyperward/g1.sock'))

interface Migrated {
  readonly state: string
  readonly from: string
  readonly to: string
  readonly steps: readonly { readonly step: string }[]
}

async function migrateTo(
  host: FabricHost,
  destination = host,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const uri = `qemu+unix:///system?socket=${destination.libvirtSocket}`
  const socket = `unix://${join(lab.dir, 'migration.sock')}`
  return cli.try('--json', 'migrate', 'g1', host.name, '--destination', uri, '--migrate-uri', socket)
}

async function stateOf(name: string): Promise<string> {
  // as: schema/openapi.json
  const answer = (await cli.json('endpoints')) as { endpoints: { vm: { name: string }; host: string; state: string }[] }
  const found = answer.endpoints.find((each) => each.vm.name === name)
  return `${found?.host ?? 'nowhere'} ${found?.state ?? 'unknown'}`
}

beforeAll(async () => {
  await cleanupStale('hwmove')
  image = await buildGuestImage()
  lab = await createLab({ prefix: 'hwmove' })
  fabric = await createFabric(lab, { hosts: ['north', 'south'] })
  const [one, two] = fabric.hosts
  if (one === undefined || two === undefined) throw new Error('two hosts')
  north = one
  south = two
  await Promise.all(fabric.hosts.map(loadDoor))
  const center = await startCenter(lab, fabric)
  cli = createCli(lab, fabric, center)
  for (const host of fabric.hosts) await enrollAndStartAgent(host, cli, center)
  const xml = join(north.dir, 'vm/g1.xml')
  writeFileSync(xml, guestDomainXml(optionsOf(1), image, '/run/hyperward'))
  for (const command of [
    ['define', xml],
    ['start', 'g1'],
  ]) {
    expect((await north.virsh(...command)).stderr).toBe('')
  }
  near = (await startGuest(north, image, optionsOf(2))).agent
  far = (await startGuest(south, image, optionsOf(3))).agent
  await Promise.all([near, far, agentAt(north)].map((each) => each.ready(120_000)))
  await waitFor(async () => (await stateOf('g3')) !== 'nowhere unknown', { timeoutMs: 30_000, what: 'g3 is reported' })
  const file = join(lab.dir, 'policy.yaml')
  writeFileSync(file, policy)
  await cli.run('apply', file)
  await cli.run('publish', '--wait', '20s')
  for (const n of [1, 2, 3]) {
    await waitFor(async () => (await stateOf(`g${n}`)).endsWith('enforced'), { timeoutMs: 30_000, what: `g${n}` })
  }
})
afterAll(async () => {
  await lab.close()
})

async function hold(from: GuestAgent, address: string): Promise<() => Promise<void>> {
  const { handle, outcome } = await from.call('hold', { address, port: 80, timeoutMs: 5000 })
  if (handle === undefined) throw new Error(`not held: ${outcome}`)
  return async () => {
    await waitFor(async () => (await from.call('held', { handle })).silentMs < 1000, {
      timeoutMs: 20_000,
      what: `the connection to ${address} speaks again`,
    })
    expect((await from.call('held', { handle })).broken).toBeNull()
  }
}

test('connections in both directions live through a migration, and policy holds throughout', async () => {
  await Promise.all([near, far, agentAt(north)].map((each) => each.call('listen', { protocol: 'tcp', port: 80 })))
  await agentAt(north).call('listen', { protocol: 'tcp', port: 81 })
  const inward = [await hold(near, '10.20.0.11'), await hold(far, '10.20.0.11')]
  // asked of the moved guest, by its agent there
  const own = await agentAt(north).call('hold', { address: '10.20.0.13', port: 80, timeoutMs: 5000 })
  const moving = migrateTo(south)
  const forbidden = Promise.all(
    [near, far].map(async (each) => {
      const outcomes: string[] = []
      for (let i = 0; i < 4; i += 1) {
        outcomes.push((await each.call('connect', { address: '10.20.0.11', port: 81, timeoutMs: 1000 })).outcome)
      }
      return outcomes
    }),
  )
  const done = await moving
  expect(done.code, done.stderr + done.stdout).toBe(0)
  // as: schema/openapi.json
  const migrated = JSON.parse(done.stdout) as Migrated
  expect(migrated).toMatchObject({ state: 'done', from: 'north', to: 'south' })
  expect(migrated.steps.map(({ step }) => step)).toEqual([
    'south guards it, closed, before it comes',
    'its connections were carried to south before it left',
    expect.stringContaining('libvirt of north moves it to'),
    'its connections were carried to south when it stopped',
    'it has left north',
    'it runs at south under policy',
  ])
  expect(await forbidden).toEqual([Array(4).fill('timeout'), Array(4).fill('timeout')])
  for (const lives of inward) await lives()
  await waitFor(() => agentAt(south).call('ready', {}, 1000), { timeoutMs: 20_000, what: 'the moved guest' })
  await sleep(1500)
  expect(await agentAt(south).call('held', { handle: own.handle ?? 0 })).toMatchObject({ broken: null })
  await waitFor(async () => (await stateOf('g1')) === 'south enforced', { timeoutMs: 20_000, what: 'it is told' })
  for (const each of [near, far]) {
    const to = { address: '10.20.0.11', timeoutMs: 2000 }
    expect(await each.call('connect', { ...to, port: 80 })).toMatchObject({ outcome: 'ok', peer: 'g1' })
    expect(await each.call('connect', { ...to, port: 81 })).toMatchObject({ outcome: 'timeout' })
  }
  // ends with 0 only when every kernel holds what its plan says
  await cli.run('verify')
})

test('a migration that libvirt refuses leaves the VM where it was, under policy', async () => {
  // north is asked to take it by south's own libvirt: a VM does not migrate to where it is
  const done = await migrateTo(north, south)
  expect(done.code).toBe(1)
  expect(await stateOf('g1')).toBe('south enforced')
  expect(await far.call('connect', { address: '10.20.0.11', port: 80, timeoutMs: 3000 })).toMatchObject({
    outcome: 'ok',
  })
  expect(await far.call('connect', { address: '10.20.0.11', port: 81, timeoutMs: 1000 })).toMatchObject({
    outcome: 'timeout',
  })
})

test('behind our back: it is closed at the target until the source has let it go, then guarded there', async () => {
  const done = await south.virsh(
    'migrate',
    '--live',
    '--p2p',
    '--persistent',
    '--undefinesource',
    'g1',
    `qemu+unix:///system?socket=${north.libvirtSocket}`,
    '--migrateuri',
    `unix://${join(lab.dir, 'migration.sock')}`,
  )
  expect(done.stderr).toBe('')
  await waitFor(async () => (await stateOf('g1')) === 'north enforced', { timeoutMs: 30_000, what: 'it is guarded' })
  // nothing of it passed until now, so the bridges do not know yet where it is: its first word tells them
  await waitFor(() => agentAt(north).call('ready', {}, 1000), { timeoutMs: 20_000, what: 'the moved guest' })
  const word = await agentAt(north).call('connect', { address: '10.20.0.13', port: 80, timeoutMs: 5000 })
  expect(word.outcome).toBe('ok')
  expect(await far.call('connect', { address: '10.20.0.11', port: 80, timeoutMs: 3000 })).toMatchObject({
    outcome: 'ok',
  })
  expect(await far.call('connect', { address: '10.20.0.11', port: 81, timeoutMs: 1000 })).toMatchObject({
    outcome: 'timeout',
  })
  const events = JSON.stringify(await cli.json('events'))
  expect(events).toContain('vm-moved')
})
