/** The promises of the data path, with a real libvirtd, real guests, the real driver and the real center: DESIGN §2, invariants 2 and 4. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { signalProcess, type RunningProcess } from '@hyperward/os'
import {
  addNamespaceEndpoint,
  buildGuestImage,
  startGuest,
  waitFor,
  type Guest,
  type GuestImage,
  type NamespaceEndpoint,
} from '@hyperward/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createOneHost, type OneHost } from './testing/one-host.ts'

const prefix = 'hwa'
const peerMac = '02:00:5e:00:00:fa'
let image: GuestImage
let world: OneHost
let peer: NamespaceEndpoint
let agent: RunningProcess | null = null
let center: RunningProcess | null = null
const guests = new Map<number, Guest>()

const policy = `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      shop: { labels: { app: shop } }
    services:
      http: { tcp: [80] }
      ping: { icmp: [echo-request], icmpv6: [echo-request] }
    policies:
      - policy: shop
        rules:
          - { name: web, from: shop, to: shop, service: http, action: allow }
          - { name: ping, from: shop, to: shop, service: ping, action: allow }
`

beforeAll(async () => {
  image = await buildGuestImage()
  world = await createOneHost(prefix)
  // a machine on the same bridge that nobody guards: it sees whatever leaves a guest
  peer = await addNamespaceEndpoint(world.lab, {
    name: 'peer',
    mac: peerMac,
    addresses: ['10.20.0.250/16', 'fd00:20::250/64'],
    host: world.bridgeNetns,
    tap: 'peer0',
  })
  await world.loadDoor()
  center = await world.startCenter()
})
afterAll(async () => {
  await world.lab.close()
})

function start(n: number, flood = false): Promise<Guest> {
  const early = [
    { address: '10.20.0.250', mac: peerMac },
    { address: 'fd00:20::250', mac: '' },
  ]
  return startGuest(world.host, image, {
    name: `g${n}`,
    uuid: `11111111-2222-4333-8444-55555555560${n}`,
    tenant: 'acme',
    labels: { app: 'shop' },
    mac: macOf(n),
    addresses: [`10.20.0.1${n}/16`, `fd00:20::1${n}/64`],
    ...(flood ? { early } : {}),
  }).then((guest) => {
    guests.set(n, guest)
    return guest
  })
}

function macOf(n: number): string {
  return `52:54:00:00:00:0${n}`
}

function guest(n: number): Guest {
  const one = guests.get(n)
  if (one === undefined) throw new Error(`no guest ${n}`)
  return one
}

interface Frame {
  readonly atMs: number
  readonly line: string
}

interface Capture {
  frames(): readonly Frame[]
  stop(): Promise<void>
}

/** Every frame with that source that reaches the unguarded peer. */
async function capture(name: string, mac: string): Promise<Capture> {
  const logFile = join(world.lab.dir, `${name}.txt`)
  const dump = await peer.start('tcpdump', ['-lnnetti', 'eth0', 'ether', 'src', mac], { logFile })
  const text = (): string => readFileSync(logFile, 'utf8')
  await waitFor(() => text().includes('listening on'), { what: 'tcpdump' })
  const frames = (): readonly Frame[] =>
    text()
      .split('\n')
      .filter((line) => line.includes(`${mac} >`))
      .map((line) => ({ atMs: Number(line.split(' ')[0]) * 1000, line }))
  return { frames, stop: async () => void (await dump.stop()) }
}

/** What policy decides. The rest (ARP, neighbor discovery, group membership) is port safety's, and passes from a guarded guest: docs/packet-fates.md. */
function decidedByPolicy(frames: readonly Frame[]): readonly string[] {
  return frames.map((frame) => frame.line).filter((line) => / UDP,|ICMP6?,? echo| Flags \[/.test(line))
}

/** When the first round began that enforced so many endpoints, by the engine's own log; milliseconds since the epoch. */
function firstRoundEnforcing(count: number): number {
  for (const line of world.agentLog().split('\n').filter(Boolean)) {
    // the engine's own log lines
    const entry = JSON.parse(line) as { msg: string; time: number; ms?: number; enforced?: number }
    if (entry.msg === 'round' && entry.enforced === count) return entry.time - (entry.ms ?? 0)
  }
  throw new Error(`no round enforced ${count} endpoints`)
}

async function stateOf(name: string): Promise<string> {
  const endpoint = (await world.status()).lastRound?.endpoints.find((one) => one.vmName === name)
  return endpoint === undefined
    ? 'unknown'
    : `${endpoint.state}${endpoint.reason === null ? '' : `: ${endpoint.reason}`}`
}

async function tapPackets(n: number): Promise<number> {
  const tap = await guest(n).tap()
  const path = `/sys/class/net/${tap}/statistics/rx_packets`
  return Number((await world.host.exec('cat', [path])).stdout)
}

test('with the agent down, nothing of a guest that floods from its first moment passes', async () => {
  const seen = await capture('down', macOf(1))
  const one = await start(1, true)
  await one.agent.ready(60_000)
  // the guest did send: the tap counted it
  await waitFor(async () => (await tapPackets(1)) > 20, { timeoutMs: 20_000, what: 'the flood of g1' })
  expect(seen.frames()).toEqual([])
  await seen.stop()
})

test('the agent starts, and opens exactly what the published policy allows', async () => {
  const seen = await capture('opens', macOf(1))
  await world.enroll()
  agent = await world.startAgent()
  await waitFor(async () => (await stateOf('g1')) === 'closed: no-plan', { timeoutMs: 20_000, what: 'g1 is found' })
  await world.publish(policy)
  await waitFor(async () => (await stateOf('g1')) === 'enforced', { timeoutMs: 20_000, what: 'g1 is enforced' })
  const one = guest(1).agent
  for (const address of ['10.20.0.250', 'fd00:20::250']) {
    expect(await one.call('ping', { address, timeoutMs: 1000 })).toMatchObject({ outcome: 'timeout' })
    expect(await one.call('connect', { address, port: 80, timeoutMs: 500 })).toMatchObject({ outcome: 'timeout' })
  }
  // the guest is guarded, not mute: it may ask who has an address
  expect(seen.frames().some((frame) => /ARP|neighbor solicitation/.test(frame.line))).toBe(true)
  expect(decidedByPolicy(seen.frames())).toEqual([])
  await seen.stop()
})

test('with the agent up, nothing of a guest that floods from its first moment passes but what its policy allows', async () => {
  const seen = await capture('up', macOf(2))
  const two = await start(2, true)
  await waitFor(async () => (await stateOf('g2')) === 'enforced', { timeoutMs: 30_000, what: 'g2 is enforced' })
  await two.agent.ready(60_000)
  await waitFor(async () => (await tapPackets(2)) > 20, { timeoutMs: 20_000, what: 'the flood of g2' })
  const enforcedAt = firstRoundEnforcing(2)
  expect(seen.frames().filter((frame) => frame.atMs < enforcedAt)).toEqual([])
  expect(decidedByPolicy(seen.frames())).toEqual([])
  await seen.stop()
  await two.agent.call('listen', { protocol: 'tcp', port: 80 })
  await two.agent.call('listen', { protocol: 'tcp', port: 81 })
  const to = { address: '10.20.0.12', timeoutMs: 2000 }
  expect(await guest(1).agent.call('ping', to)).toMatchObject({ outcome: 'ok' })
  expect(await guest(1).agent.call('connect', { ...to, port: 80 })).toMatchObject({ outcome: 'ok', peer: 'g2' })
  expect(await guest(1).agent.call('connect', { ...to, port: 81 })).toMatchObject({ outcome: 'timeout' })
  const six = { address: 'fd00:20::12', timeoutMs: 2000 }
  expect(await guest(1).agent.call('connect', { ...six, port: 80 })).toMatchObject({ outcome: 'ok', peer: 'g2' })
})

/** Runs `disturb` under a held TCP connection and a ping every 50 ms; fails on any loss, any silence, and anything that opened. */
async function undisturbed(disturb: () => Promise<void>): Promise<void> {
  const { handle } = await guest(1).agent.call('hold', { address: '10.20.0.12', port: 80, timeoutMs: 2000 })
  if (handle === undefined) throw new Error('the connection was not held')
  const script =
    'for i in $(seq 1 60); do ping -q -c 1 -W 1 10.20.0.12 >/dev/null && echo ok || echo lost; usleep 50000; done'
  const pings = guest(2).agent.call('sh', { script: script.replace('10.20.0.12', '10.20.0.11'), timeoutMs: 60_000 })
  await disturb()
  const forbidden = await guest(1).agent.call('connect', { address: '10.20.0.12', port: 81, timeoutMs: 700 })
  expect(forbidden.outcome).toBe('timeout')
  const answers = (await pings).stdout.trim().split('\n')
  expect(answers.filter((answer) => answer !== 'ok')).toEqual([])
  expect(answers).toHaveLength(60)
  const held = await guest(1).agent.call('held', { handle })
  expect(held.broken).toBeNull()
  expect(held.silentMs).toBeLessThan(1500)
  await guest(1).agent.call('release', { handle })
}

test('kill -9 of the agent and its restart change nothing on the data path', async () => {
  await undisturbed(async () => {
    agent?.signal('SIGKILL')
    await agent?.exited
    await sleep(700)
    agent = await world.startAgent()
    await waitFor(async () => (await stateOf('g2')) === 'enforced', { timeoutMs: 20_000, what: 'the agent is back' })
  })
})

test('the absence of the center, with a restart of the agent, changes nothing on the data path', async () => {
  await undisturbed(async () => {
    await center?.stop()
    await agent?.stop()
    await sleep(500)
    agent = await world.startAgent()
    await waitFor(async () => (await stateOf('g1')) === 'enforced', { timeoutMs: 20_000, what: 'the agent is back' })
    expect((await world.status()).channel?.kind).toBe('disconnected')
  })
  center = await world.startCenter()
  await waitFor(async () => (await world.status()).channel?.kind === 'connected', {
    timeoutMs: 60_000,
    what: 'the channel',
  })
})

test('a restart of libvirtd changes nothing on the data path, and VMs are followed again', async () => {
  await undisturbed(async () => {
    await world.host.stopLibvirtd()
    await waitFor(async () => (await world.status()).libvirt?.known === false, { what: 'libvirt is told lost' })
    await world.host.startLibvirtd()
    await waitFor(async () => (await world.status()).libvirt?.known === true, {
      timeoutMs: 20_000,
      what: 'libvirt is back',
    })
  })
})

test('a libvirtd that hangs is told, and changes nothing on the data path', async () => {
  await undisturbed(async () => {
    const libvirtd = world.host.libvirtd()
    await signalProcess(libvirtd, 'SIGSTOP')
    try {
      await waitFor(async () => (await world.status()).libvirt?.known === false, {
        timeoutMs: 20_000,
        what: 'libvirt is told lost',
      })
      expect(world.agentLog()).toContain('libvirt.unresponsive')
      expect(await stateOf('g1')).toBe('enforced')
    } finally {
      await signalProcess(libvirtd, 'SIGCONT')
    }
    await waitFor(async () => (await world.status()).libvirt?.known === true, {
      timeoutMs: 20_000,
      what: 'libvirt is back',
    })
  })
})

test('SIGTERM leaves the rules in place', async () => {
  await undisturbed(async () => {
    await agent?.stop()
    await sleep(500)
  })
  expect((await world.status()).running).toBe(false)
})

test('remove takes our programs, pins and the door away, only when it is meant, and nothing of others', async () => {
  await agent?.stop()
  const tap = await guest(1).tap()
  const on = async (...command: readonly string[]): Promise<string> => {
    const [file = '', ...args] = command
    const result = await world.host.exec(file, args)
    expect(result.stderr).toBe('')
    return result.stdout
  }
  const ours = async (): Promise<readonly boolean[]> => [
    (await on('tc', 'filter', 'show', 'dev', tap, 'ingress')).includes('from_vm'),
    (await on('tc', 'filter', 'show', 'dev', tap, 'egress')).includes('to_vm'),
    (await on('nft', 'list', 'tables')).includes('hyperward'),
    (await on('ls', '/sys/fs/bpf')).includes('hyperward'),
  ]
  await on('nft', 'add', 'table', 'bridge', 'foreign')
  const match = ['protocol', 'ip', 'u32', 'match', 'u32', '0', '0', 'flowid', '1:1']
  await on('tc', 'filter', 'add', 'dev', tap, 'ingress', 'prio', '7', ...match)
  expect(await ours()).toEqual([true, true, true, true])

  const refused = await world.engine('remove')
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--yes')])
  agent = await world.startAgent()
  await waitFor(async () => (await world.status()).running, { what: 'the agent' })
  const running = await world.engine('remove', '--yes')
  expect([running.code, running.stderr]).toEqual([1, expect.stringContaining('engine.already-running')])
  await agent.stop()
  expect(await ours()).toEqual([true, true, true, true])
  const to = { address: '10.20.0.250', timeoutMs: 1000 }
  expect(await guest(1).agent.call('ping', to)).toMatchObject({ outcome: 'timeout' })

  const removed = await world.engine('remove', '--yes')
  expect([removed.code, removed.stderr]).toEqual([0, ''])
  expect(removed.stdout).toContain('2 guarded taps')
  expect(await ours()).toEqual([false, false, false, false])
  expect(await on('nft', 'list', 'tables')).toContain('table bridge foreign')
  expect(await on('tc', 'filter', 'show', 'dev', tap, 'ingress')).toContain('pref 7 u32')
  expect(await guest(1).agent.call('ping', to)).toMatchObject({ outcome: 'ok' })

  // and back: the plan is still there, and the engine puts all of it up again
  await world.loadDoor()
  expect(await guest(1).agent.call('ping', to)).toMatchObject({ outcome: 'timeout' })
  agent = await world.startAgent()
  await waitFor(async () => (await stateOf('g1')) === 'enforced', { timeoutMs: 20_000, what: 'g1 is enforced again' })
  expect(await guest(1).agent.call('ping', { ...to, address: '10.20.0.12' })).toMatchObject({ outcome: 'ok' })
  expect(await guest(1).agent.call('ping', to)).toMatchObject({ outcome: 'timeout' })
})
