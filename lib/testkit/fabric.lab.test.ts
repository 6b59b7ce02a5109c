import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { exec, start } from '@hyperward/os'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createFabric, type Fabric } from './fabric.ts'
import { startGuest, type Guest } from './guest.ts'
import { buildGuestImage, type GuestImage } from './guest-image.ts'
import { createLab, type Lab } from './lab.ts'
import { cleanupStale } from './lab-record.ts'
import { waitFor } from './wait-for.ts'

const prefix = 'hwtfab'
const before = footprint()
let lab: Lab
let fabric: Fabric
let image: GuestImage
let guests: readonly Guest[]

/** All that a lab could leave on this machine. */
function footprint(): object {
  const list = (path: string): string[] => {
    try {
      return readdirSync(path).sort()
    } catch {
      return []
    }
  }
  const ours = (names: readonly string[]): readonly string[] => names.filter((name) => name.startsWith(prefix))
  const commands = list('/proc').flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : []
    } catch {
      return []
    }
  })
  return {
    namespaces: ours(list('/run/netns')),
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(prefix)),
    cgroups: list('/sys/fs/cgroup').flatMap((one) => ours(list(join('/sys/fs/cgroup', one)))),
    processes: commands.filter((command) => command.includes(`${prefix}-`)),
    records: ours(list('/run/hyperward-lab')),
    directories: ours(list('/tmp')),
    strangers: {
      run: list('/run/hyperward'),
      lib: list('/var/lib/hyperward'),
      bpf: list('/sys/fs/bpf').filter((n) => n.startsWith(prefix)),
    },
  }
}

function guest(host: number, number: number): Promise<Guest> {
  const on = fabric.hosts[host]
  if (on === undefined) throw new Error('no such host')
  return startGuest(on, image, {
    name: `g${number}`,
    uuid: `11111111-2222-4333-8444-55555555560${number}`,
    tenant: 'acme',
    labels: { app: 'shop' },
    mac: `52:54:00:00:00:0${number}`,
    addresses: [`10.20.0.1${number}/16`, `fd00:20::1${number}/64`],
    ...(number === 3
      ? {
          early: [
            { address: '10.20.0.11', mac: '52:54:00:00:00:01' },
            { address: 'fd00:20::11', mac: '' },
          ],
        }
      : {}),
  })
}

beforeAll(async () => {
  image = await buildGuestImage()
  lab = await createLab({ prefix })
  const began = performance.now()
  fabric = await createFabric(lab, { hosts: ['host-a', 'host-b'] })
  // a cold libvirt probes QEMU for seconds; warm it is well under one
  expect(performance.now() - began).toBeLessThan(30_000)
  guests = await Promise.all([guest(0, 1), guest(1, 2)])
  await Promise.all(guests.map((one) => one.agent.ready()))
})
afterAll(() => lab.close())

function pair(): readonly [Guest, Guest] {
  const [one, two] = guests
  if (one === undefined || two === undefined) throw new Error('no guests')
  return [one, two]
}

test.each(['10.20.0.12', 'fd00:20::12'])(
  'guests on two hosts reach each other across the fabric: %s',
  async (address) => {
    const [one, two] = pair()
    const to = { address, timeoutMs: 2000 }
    expect(await one.agent.call('ping', to)).toMatchObject({ outcome: 'ok' })
    await two.agent.call('listen', { protocol: 'tcp', port: 80 })
    await two.agent.call('listen', { protocol: 'udp', port: 53 })
    expect(await one.agent.call('connect', { ...to, port: 80 })).toMatchObject({ outcome: 'ok', peer: 'g2' })
    expect(await one.agent.call('connect', { ...to, port: 81 })).toMatchObject({ outcome: 'refused' })
    expect(await one.agent.call('udp', { ...to, port: 53 })).toMatchObject({ outcome: 'ok', peer: 'g2' })
    expect(await one.agent.call('udp', { ...to, port: 54 })).toMatchObject({ outcome: 'refused' })
    await two.agent.call('unlisten', { protocol: 'tcp', port: 80 })
    await two.agent.call('unlisten', { protocol: 'udp', port: 53 })
  },
)

test('a held connection tells when its path is cut, and a new one times out', async () => {
  const [one, two] = pair()
  await two.agent.call('listen', { protocol: 'tcp', port: 80 })
  const { handle } = await one.agent.call('hold', { address: '10.20.0.12', port: 80, timeoutMs: 2000 })
  if (handle === undefined) throw new Error('not held')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect((await one.agent.call('held', { handle })).silentMs).toBeLessThan(1000)
  await two.host.exec('ip', ['link', 'set', await two.tap(), 'nomaster'])
  await waitFor(async () => (await one.agent.call('held', { handle })).silentMs > 1500)
  const refused = await one.agent.call('connect', { address: '10.20.0.12', port: 80, timeoutMs: 500 })
  expect(refused.outcome).toBe('timeout')
  await two.host.exec('ip', ['link', 'set', await two.tap(), 'master', 'br0'])
  await waitFor(async () => (await one.agent.call('held', { handle })).silentMs < 500, { timeoutMs: 20_000 })
  await one.agent.call('release', { handle })
})

test('packets of full size cross the fabric', async () => {
  const [one] = pair()
  const script = 'ping -q -c 1 -W 2 -s 1472 10.20.0.12; ping -6 -q -c 1 -W 2 -s 1452 fd00:20::12'
  expect(await one.agent.call('sh', { script })).toMatchObject({ code: 0 })
})

test('an early guest sends ARP, ICMP and UDP before its agent is up', async () => {
  const [one] = pair()
  const capture = join(one.host.dir, 'early.txt')
  const probe = await one.host.start('tcpdump', ['-lnneti', 'br0', 'ether', 'src', '52:54:00:00:00:03'], {
    logFile: capture,
  })
  await waitFor(() => readFileSync(capture, 'utf8').includes('listening on'))
  const early = await guest(1, 3)
  const seen = (): string => readFileSync(capture, 'utf8')
  await waitFor(() => /10\.20\.0\.13 > 10\.20\.0\.11: ICMP echo request/.test(seen()), { timeoutMs: 30_000 })
  expect(readFileSync(join(early.host.dir, 'vm/g3.log'), 'utf8')).not.toContain('agent of g3')
  for (const pattern of [/ARP.*who-has 10\.20\.0\.11/, /UDP, length/, /ICMP6, echo request/]) {
    await waitFor(() => pattern.test(seen()), { what: String(pattern), timeoutMs: 20_000 })
  }
  await early.agent.ready()
  await early.destroy()
  await probe.stop()
})

test('each host sees its own interfaces, files and bpf file system only', async () => {
  const [a, b] = fabric.hosts
  if (a === undefined || b === undefined) throw new Error('no hosts')
  for (const place of ['/run/hyperward', '/var/lib/hyperward', '/sys/fs/bpf']) {
    expect(await a.exec('mkdir', [`${place}/hwt-mark`]), place).toMatchObject({ code: 0 })
    expect((await b.exec('ls', [place])).stdout, place).not.toContain('hwt-mark')
    expect((await exec('ls', [place])).stdout, place).not.toContain('hwt-mark')
  }
  expect((await a.exec('ls', ['/sys/class/net'])).stdout).toBe('br0\nlo\nmgmt0\nvnet0\nvxlan0\n')
  expect((await a.exec('ls', ['/dev/kvm'])).code).not.toBe(0)
  expect((await a.exec('hostname', [])).stdout).toBe('host-a\n')
  expect((await a.exec('ping', ['-c', '1', '-W', '1', fabric.managementAddress])).code).toBe(0)
})

test('close leaves nothing', async () => {
  expect(footprint()).not.toEqual(before)
  await lab.close()
  expect(footprint()).toEqual(before)
})

test('what a killed lab leaves is removed by the next, and a live one is refused', async () => {
  const script = `
    const { createLab, createFabric } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))})
    const lab = await createLab({ prefix: '${prefix}' })
    const { hosts } = await createFabric(lab, { hosts: ['host-a'] })
    await lab.start(null, 'sh', ['-c', 'setsid sleep 1000 & exec sleep 1001'])
    await hosts[0].start('sleep', ['1002'])
    await new Promise((resolve) => setTimeout(resolve, 300))
    await import('node:fs').then(({ writeFileSync }) => writeFileSync(lab.dir + '/up', ''))
    setInterval(() => undefined, 1000)`
  const owner = await start(process.execPath, ['--input-type=module', '-e', script])
  await waitFor(() => readdirSync(`/tmp/${prefix}-lab`).includes('up'), { timeoutMs: 40_000 })
  await expect(createLab({ prefix })).rejects.toThrow(/running process holds/)
  expect(await cleanupStale(prefix)).toBe(0)
  owner.signal('SIGKILL')
  await owner.exited
  expect(footprint()).not.toEqual(before)
  expect(await cleanupStale(prefix)).toBe(1)
  expect(footprint()).toEqual(before)
})
