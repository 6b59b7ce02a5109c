/** The whole way with the nftables driver, real guests and a real center: what a kernel without what the eBPF driver needs gets. */
import type { RunningProcess } from '@hyperward/os'
import { buildGuestImage, startGuest, waitFor, type Guest } from '@hyperward/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createOneHost, type OneHost } from './testing/one-host.ts'

let world: OneHost
let agent: RunningProcess
let guests: readonly Guest[]

const policy = (services: string): string => `
apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      shop: { labels: { app: shop } }
    services:
      http: { tcp: [8080] }
      ping: { icmp: [echo-request], icmpv6: [echo-request] }
    policies:
      - policy: shop
        rules:
          - { name: web, from: shop, to: shop, service: ${services}, action: allow }
`

beforeAll(async () => {
  const image = await buildGuestImage()
  world = await createOneHost('hwnpath', { datapath: 'nftables' })
  await world.loadDoor()
  await world.startCenter()
  guests = await Promise.all(
    [1, 2].map((n) =>
      startGuest(world.host, image, {
        name: `g${n}`,
        uuid: `11111111-2222-4333-8444-55555555561${n}`,
        tenant: 'acme',
        labels: { app: 'shop' },
        mac: `52:54:00:00:01:0${n}`,
        addresses: [`10.20.0.2${n}/16`, `fd00:20::2${n}/64`],
      }),
    ),
  )
  await world.enroll()
  agent = await world.startAgent()
})
afterAll(() => world.lab.close())

async function leftOf(driver: 'ebpf' | 'nftables'): Promise<boolean> {
  if (driver === 'nftables') {
    return (await world.host.exec('nft', ['list', 'tables'])).stdout.includes('inet hyperward_endpoint')
  }
  const tap = (await guests[0]?.tap()) ?? ''
  return (await world.host.exec('tc', ['filter', 'show', 'dev', tap, 'ingress'])).stdout.includes('from_vm')
}

async function ping(): Promise<unknown> {
  return (await guests[0]?.agent.call('ping', { address: '10.20.0.22', timeoutMs: 1000 }))?.['outcome']
}

test('from the policy document to the guests: allowed passes, the rest not, and the driver is told', async () => {
  await world.publish(policy('ping'))
  await waitFor(async () => (await ping()) === 'ok', { timeoutMs: 20_000, what: 'a ping between the guests' })
  const status = await world.status()
  expect(status.datapath).toEqual({ name: 'nftables', reason: 'the configuration names it' })
  expect(status.lastRound?.endpoints.map(({ state }) => state)).toEqual(['enforced', 'enforced'])
  await waitFor(async () =>
    (await world.cli('hosts', '--json')).stdout.includes('"nftables: the configuration names it"'),
  )
  expect((await world.cli('hosts')).stdout).toMatch(/nftables/)
})

test('kill -9 of the agent changes nothing; a rule that goes is cut, and its denial is seen as an event', async () => {
  agent.signal('SIGKILL')
  await agent.exited
  expect(await ping()).toBe('ok')
  agent = await world.startAgent()
  await waitFor(async () => (await world.status()).channel?.kind === 'connected', {
    timeoutMs: 20_000,
    what: 'the channel',
  })
  await world.publish(policy('http'))
  await waitFor(async () => (await ping()) === 'timeout', { timeoutMs: 20_000, what: 'the ping is cut' })
  await waitFor(async () => (await world.cli('events', '--json')).stdout.includes('"policy"'), { timeoutMs: 20_000 })
})

test('the other driver takes over, and what the first one left is gone, both ways round', async () => {
  await world.publish(policy('ping'))
  await waitFor(async () => (await ping()) === 'ok', { timeoutMs: 20_000, what: 'a ping between the guests' })
  for (const [driver, other] of [
    ['ebpf', 'nftables'],
    ['nftables', 'ebpf'],
  ] as const) {
    await agent.stop()
    world.configure({ datapath: driver })
    agent = await world.startAgent()
    await waitFor(async () => !(await leftOf(other)) && (await leftOf(driver)), {
      timeoutMs: 20_000,
      what: `${driver} alone`,
    })
    expect((await world.status()).datapath?.name).toBe(driver)
    expect(await ping()).toBe('ok')
  }
})

test('the tables stay without the agent, and remove takes all of them away', async () => {
  const on = async (...command: readonly [string, ...string[]]): Promise<string> =>
    (await world.host.exec(command[0], command.slice(1))).stdout
  expect(await on('nft', 'list', 'tables')).toContain('inet hyperward_endpoint')
  await agent.stop()
  expect(await on('nft', 'list', 'tables')).toContain('inet hyperward_endpoint')
  const removed = await world.engine('remove', '--yes')
  expect([removed.code, removed.stderr]).toEqual([0, ''])
  expect(await on('nft', 'list', 'tables')).not.toContain('hyperward')
  expect(await ping()).toBe('ok')
})
