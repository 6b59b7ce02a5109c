/** A guest that lies about its address, its MAC and in ARP: nothing of it arrives, and each lie is told with the guest's name. */
import { waitFor } from '@hyperward/testkit'

import type { Cli } from './programs.ts'
import type { Report } from './report.ts'
import { addressOf, guests } from './topology.ts'
import type { World } from './world.ts'

interface ToldDrop {
  readonly endpoint: string
  readonly reason: string | null
}

export async function showSpoofing(cli: Cli, world: World, report: Report): Promise<void> {
  report.heading('A guest that lies: mail-1 of globex')
  const agent = world.guests['mail-1'].agent
  const victim = addressOf('web-2', 4)
  // web-2's address lets one in at app-1: a borrowed one must not
  await agent.call('sh', { script: `ip addr add ${victim}/32 dev eth0` })
  const borrowed = await agent.call('sh', {
    script: `ping -c 2 -W 1 -I ${victim} ${addressOf('app-1', 4)}`,
    timeoutMs: 8000,
  })
  report.check({
    what: `ping from web-2's address to app-1`,
    expected: 'dropped',
    observed: borrowed.code === 0 ? 'passes' : 'dropped',
  })
  await agent.call('sh', { script: `arping -c 2 -w 2 -U -I eth0 ${victim}`, timeoutMs: 8000 })
  await agent.call('sh', { script: `ip addr del ${victim}/32 dev eth0` })
  const mac = 'ip link set eth0 address 52:54:00:d0:00:99'
  const back = `ip link set eth0 address ${guests['mail-1'].mac}`
  const changed = await agent.call('sh', {
    script: `${mac}; ping -c 2 -W 1 ${addressOf('outside', 4)}; code=$?; ${back}; exit $code`,
    timeoutMs: 8000,
  })
  report.check({
    what: 'ping with a changed MAC to the machine outside',
    expected: 'dropped',
    observed: changed.code === 0 ? 'passes' : 'dropped',
  })
  for (const reason of ['source-address', 'arp-source', 'source-mac']) {
    report.check({
      what: `told: ${reason} of mail-1`,
      expected: 'told',
      observed: (await isTold(cli, reason)) ? 'told' : 'not told',
    })
  }
}

async function isTold(cli: Cli, reason: string): Promise<boolean> {
  const told = async (): Promise<boolean> => {
    const { flows } = (await cli.json('flows', '--limit', '500')) as { flows: readonly ToldDrop[] } // as: schema/openapi.json
    return flows.some((flow) => flow.reason === reason && flow.endpoint.startsWith(guests['mail-1'].uuid))
  }
  try {
    return await waitFor(told, { timeoutMs: 6000, intervalMs: 500, what: reason })
  } catch {
    // not within the time: the report says so
    return false
  }
}
