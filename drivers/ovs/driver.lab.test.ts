/** A real ovs-vswitchd (userspace datapath) in a namespace, with a gateway that bridges two ports and learns nothing. */
import { join } from 'node:path'

import type { Mac } from '@hyperward/model'
import { execOk, type RunningProcess } from '@hyperward/os'
import { createLab, ipBatch, waitFor, type Lab } from '@hyperward/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Steering } from './desired.ts'
import { createOvsDriver, type OvsDriver } from './driver.ts'

const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'] as const
let lab: Lab
let host: string
let guests: readonly string[]
let gateway: string
let driver: OvsDriver
let directory: string
let switchd: RunningProcess

beforeAll(async () => {
  lab = await createLab({ prefix: 'hwgo' })
  host = await lab.addNetns('host')
  directory = lab.dir
  const schema = '/usr/share/openvswitch/vswitch.ovsschema'
  await execOk('ovsdb-tool', ['create', join(directory, 'conf.db'), schema])
  await lab.start(host, 'ovsdb-server', [
    join(directory, 'conf.db'),
    `--remote=punix:${directory}/db.sock`,
    `--unixctl=${directory}/ovsdb.ctl`,
    '--no-chdir',
  ])
  await waitFor(async () => (await ovs('ovs-vsctl', ['--no-wait', 'init'])).code === 0, { timeoutMs: 10_000 })
  switchd = await startSwitch()
  await must('ovs-vsctl', ['add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev'])
  guests = await Promise.all(macs.map((mac, index) => addGuest(index + 1, mac)))
  gateway = await lab.addNetns('gw')
  await ipBatch(gateway, [
    'link add gwbr type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link set gwbr addrgenmode none up',
  ])
  for (const [index, device] of ['gin', 'gout'].entries()) {
    await ipBatch(gateway, [
      `link add eth${index} type veth peer name ${device} netns ${host}`,
      `link set eth${index} addrgenmode none up`,
    ])
    await plug(device)
  }
  driver = createOvsDriver({ bridge: 'br0', runDirectory: directory, door: true })
})
afterAll(async () => {
  await lab.close()
})

function startSwitch(): Promise<RunningProcess> {
  return lab.start(
    host,
    'ovs-vswitchd',
    [`unix:${directory}/db.sock`, `--unixctl=${directory}/vswitchd.ctl`, '--no-chdir'],
    {
      env: { OVS_RUNDIR: directory, OVS_LOGDIR: directory, OVS_DBDIR: directory },
    },
  )
}

function ovs(program: string, args: readonly string[]) {
  const at = program === 'ovs-vsctl' ? [`--db=unix:${directory}/db.sock`, '--timeout=10'] : ['-O', 'OpenFlow14']
  return lab.exec(host, program, [...at, ...args], { timeoutMs: 15_000 })
}

async function must(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await ovs(program, args)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
  return stdout
}

const bridge = (): string => `unix:${directory}/br0.mgmt`

async function plug(device: string): Promise<void> {
  await ipBatch(host, [`link set ${device} addrgenmode none up`])
  await must('ovs-vsctl', ['add-port', 'br0', device])
}

async function addGuest(number: number, mac: string): Promise<string> {
  const netns = await lab.addNetns(`v${number}`)
  await ipBatch(netns, [
    `link add eth0 address ${mac} type veth peer name tap${number} netns ${host}`,
    `addr add 10.9.0.${number}/24 dev eth0`,
    'link set eth0 up',
  ])
  await lab.exec(netns, 'ethtool', ['-K', 'eth0', 'tx', 'off'])
  await plug(`tap${number}`)
  return netns
}

async function ping(from: number, to: number, count = 3): Promise<boolean> {
  const args = ['-n', '-q', '-c', String(count), '-i', '0.1', '-W', '1', `10.9.0.${to}`]
  return (await lab.exec(guests[from - 1] ?? '', 'ping', args)).code === 0
}

/** Packets that went into the gateway's ports. */
async function seen(): Promise<number> {
  const stats = await lab.exec(gateway, 'ip', ['-s', '-j', 'link', 'show', 'type', 'veth'])
  // as: iproute2's own JSON
  const links = JSON.parse(stats.stdout) as readonly {
    readonly stats64: { readonly rx: { readonly packets: number } }
  }[]
  return links.reduce((sum, link) => sum + link.stats64.rx.packets, 0)
}

function steering(numbers: readonly number[], options: { failOpen?: boolean; up?: boolean } = {}): Steering {
  return {
    gateways: [{ name: 'g1', inside: 'gin', outside: 'gout', up: options.up ?? true }],
    endpoints: numbers.map((number) => ({
      // as: written above
      mac: macs[number - 1] as Mac,
      device: `tap${number}`,
      gateways: ['g1'],
      failOpen: options.failOpen ?? false,
    })),
  }
}

async function apply(wanted: Steering): Promise<number> {
  const report = await driver.reconcile(wanted)
  expect(report.reason).toBe(null)
  expect(await driver.verify(wanted)).toEqual({ known: true, value: { drift: [] } })
  return report.steps
}

test('what an endpoint sends and gets goes through the gateway once each way; others are left alone', async () => {
  await waitFor(() => ping(1, 2, 1), { timeoutMs: 15_000 })
  const foreign = 'cookie=0x77,table=5,priority=50000,udp,tp_dst=9,actions=drop'
  await must('ovs-ofctl', ['add-flow', bridge(), foreign])
  // the switch itself would forget it when its fail mode changes
  expect((await driver.reconcile(steering([1]))).reason).toContain(
    "would erase others' flows (table 5, priority 50000)",
  )
  expect(await must('ovs-ofctl', ['dump-flows', bridge(), 'cookie=0x77/-1'])).toContain('udp,tp_dst=9')
  await must('ovs-ofctl', ['del-flows', bridge(), 'cookie=0x77/-1'])
  expect(await apply(steering([1]))).toBeGreaterThan(0)
  // from here on it is a wire: between ordinary ports it would be a loop. It learns nothing: a MAC is now on one side of it, now on the other
  for (const device of ['eth0', 'eth1']) {
    await ipBatch(gateway, [`link set ${device} master gwbr`])
    await lab.exec(gateway, 'bridge', ['link', 'set', 'dev', device, 'learning', 'off'])
  }
  await must('ovs-ofctl', ['add-flow', bridge(), foreign])
  expect(await apply(steering([1]))).toBe(0)
  await apply(steering([1, 2]))
  await apply(steering([1]))
  const before = await seen()
  expect(await ping(1, 2, 5)).toBe(true)
  expect(await ping(2, 1, 5)).toBe(true)
  expect((await seen()) - before).toBeGreaterThanOrEqual(20)
  const between = await seen()
  expect(await ping(2, 3, 5)).toBe(true)
  // no unicast of the other two; a broadcast for an address passes the bridge once
  expect((await seen()) - between).toBeLessThan(5)
  expect(await must('ovs-ofctl', ['dump-flows', bridge(), 'cookie=0x77/-1'])).toContain('priority=50000,udp,tp_dst=9')
})

test('two protected endpoints meet the gateway once each way, whoever began', async () => {
  await apply(steering([1, 2]))
  await ping(1, 2, 1)
  const before = await seen()
  expect(await ping(1, 2, 10)).toBe(true)
  expect(await ping(2, 1, 10)).toBe(true)
  const passed = (await seen()) - before
  expect(passed).toBeGreaterThanOrEqual(40)
  expect(passed).toBeLessThan(60)
})

test('a gateway that is gone: fail closed passes nothing, fail open goes on, by a cut link or by what a probe says', async () => {
  await apply(steering([1]))
  await ipBatch(gateway, ['link set eth0 down', 'link set eth1 down'])
  await waitFor(async () => !(await ping(1, 2, 1)), { timeoutMs: 10_000 })
  await apply(steering([1], { failOpen: true }))
  await waitFor(() => ping(1, 2, 1), { timeoutMs: 10_000 })
  await ipBatch(gateway, ['link set eth0 up', 'link set eth1 up'])
  await apply(steering([1], { up: false }))
  expect(await ping(1, 2, 2)).toBe(false)
  await apply(steering([1], { up: false, failOpen: true }))
  const before = await seen()
  expect(await ping(1, 2, 5)).toBe(true)
  expect((await seen()) - before).toBeLessThan(5)
  await apply(steering([1]))
  await waitFor(() => ping(1, 2, 1), { timeoutMs: 10_000 })
})

test('a flow of somebody else in the place of ours is not overwritten, and nothing of the change is done', async () => {
  await driver.remove()
  await must('ovs-ofctl', ['add-flow', bridge(), 'cookie=0x88,table=0,priority=41200,in_port=tap1,actions=drop'])
  const report = await driver.reconcile(steering([1]))
  expect(report.outcome).toBe('failed')
  expect(report.reason).toContain('another flow of priority 41200')
  expect(await must('ovs-ofctl', ['dump-flows', bridge(), 'cookie=0x4857524400000001/-1'])).not.toContain('cookie=')
  await must('ovs-ofctl', ['del-flows', bridge(), 'cookie=0x88/-1'])
})

test('a restarted ovs-vswitchd passes nothing until its flows are back; a flow that is taken away is found and put back', async () => {
  await apply(steering([1]))
  expect(await ping(1, 2)).toBe(true)
  await must('ovs-ofctl', ['--strict', 'del-flows', bridge(), 'table=0,priority=41200,in_port=tap1'])
  const drift = await driver.verify(steering([1]))
  expect(drift).toMatchObject({
    known: true,
    value: { drift: ['a flow of table 0, priority 41200 is missing or differs'] },
  })
  expect(await apply(steering([1]))).toBe(1)
  await switchd.stop()
  switchd = await startSwitch()
  await waitFor(async () => (await ovs('ovs-ofctl', ['show', bridge()])).stdout.includes('(gout)'), {
    timeoutMs: 15_000,
  })
  expect(await ping(1, 2, 1)).toBe(false)
  expect(await ping(2, 3, 1)).toBe(false)
  await waitFor(async () => (await driver.reconcile(steering([1]))).outcome === 'applied', { timeoutMs: 10_000 })
  await waitFor(() => ping(1, 2, 1), { timeoutMs: 10_000 })
})

test('removal takes away what is ours and nothing else', async () => {
  await apply(steering([1]))
  const removed = await driver.remove()
  expect(removed.outcome).toBe('applied')
  expect(await must('ovs-ofctl', ['dump-flows', bridge()])).not.toMatch(/cookie=0x48575244/)
  expect(await must('ovs-ofctl', ['dump-groups', bridge()])).not.toContain('group_id')
})
