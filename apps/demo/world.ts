/** Makes the demo's world: fabric, guests, the machine outside; and tries connections between them. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import {
  addNamespaceEndpoint,
  buildGuestImage,
  startGuest,
  type ConnectOutcome,
  type Fabric,
  type Guest,
  type Lab,
  type NamespaceEndpoint,
} from '@hyperward/testkit'

import type { Fate, Protocol } from './expectations.ts'
import { connectFromOutside } from './outside-client.ts'
import { repositoryRoot } from './programs.ts'
import {
  addressOf,
  guestNames,
  guests as guestTable,
  outside,
  prefixLengths,
  type GuestName,
  type PeerName,
} from './topology.ts'

export interface World {
  readonly guests: Readonly<Record<GuestName, Guest>>
  readonly outside: NamespaceEndpoint
  attempt(from: PeerName, to: PeerName, protocol: Protocol, port: number, family: 4 | 6): Promise<Fate>
}

/** Long enough for a packet under emulation and a busy machine, short enough to wait for on every drop row. */
const silenceMs = 2000

export const cacheDir = join(repositoryRoot, '.cache')

export async function buildWorld(lab: Lab, fabric: Fabric, say: (text: string) => void): Promise<World> {
  mkdirSync(cacheDir, { recursive: true })
  const image = await buildGuestImage({ cacheDir })
  const hostOf = (name: string): Fabric['hosts'][number] => {
    const host = fabric.hosts.find((one) => one.name === name)
    if (host === undefined) throw new Error(`the fabric has no host ${name}`)
    return host
  }
  say(`starting ${guestNames.length} virtual machines (emulated: half a minute)`)
  const started = await Promise.all(
    guestNames.map(async (name): Promise<[GuestName, Guest]> => {
      const { host, v4, v6, ...rest } = guestTable[name]
      const addresses = [`${v4}/${prefixLengths[4]}`, `${v6}/${prefixLengths[6]}`]
      return [name, await startGuest(hostOf(host), image, { name, ...rest, addresses })]
    }),
  )
  const outsideEndpoint = await addNamespaceEndpoint(lab, {
    name: outside.name,
    mac: outside.mac,
    addresses: [`${outside.v4}/${prefixLengths[4]}`, `${outside.v6}/${prefixLengths[6]}`],
    host: hostOf(outside.host).netns,
    // not a tap's name: this machine stands for the physical network
    tap: 'uplink0',
  })
  const guests = Object.fromEntries(started) as Record<GuestName, Guest> // as: one entry per guest name
  await Promise.all(
    guestNames.map(async (name) => {
      await guests[name].agent.ready(180_000)
      say(`${name} is up on ${guestTable[name].host}`)
    }),
  )
  return {
    guests,
    outside: outsideEndpoint,
    attempt: async (from, to, protocol, port, family) => {
      const address = addressOf(to, family)
      const once = (): Promise<ConnectOutcome> => attemptOnce(from, protocol, address, port)
      const outcome = await once()
      // no answer to ARP or ND yet (a neighbour asked while its host was still closed): that says nothing of policy
      if (outcome !== 'unreachable') return toFate(outcome)
      await sleep(1500)
      return toFate(await once())
    },
  }

  async function attemptOnce(
    from: PeerName,
    protocol: Protocol,
    address: string,
    port: number,
  ): Promise<ConnectOutcome> {
    if (from === outside.name) return connectFromOutside(outsideEndpoint, protocol, address, port, silenceMs)
    const agent = guests[from].agent
    if (protocol === 'ping') return (await agent.call('ping', { address, timeoutMs: silenceMs })).outcome
    const command = protocol === 'tcp' ? 'connect' : 'udp'
    return (await agent.call(command, { address, port, timeoutMs: silenceMs })).outcome
  }
}

/** Services that the matrix asks for: what is dropped must be dropped by policy and not for want of a listener. */
export async function startServices(world: World): Promise<void> {
  const services: Readonly<Record<GuestName, readonly (readonly ['tcp' | 'udp', number])[]>> = {
    'web-1': [
      ['tcp', 80],
      ['tcp', 8080],
      ['udp', 9000],
    ],
    'web-2': [['tcp', 80]],
    'app-1': [
      ['tcp', 8080],
      ['tcp', 5432],
    ],
    'db-1': [
      ['tcp', 5432],
      ['tcp', 8081],
      ['udp', 9000],
    ],
    'mail-1': [['tcp', 25]],
  }
  await Promise.all(
    guestNames.map(async (name) => {
      for (const [protocol, port] of services[name]) await world.guests[name].agent.call('listen', { protocol, port })
    }),
  )
}

function toFate(outcome: ConnectOutcome): Fate {
  if (outcome === 'ok') return 'passes'
  if (outcome === 'timeout') return 'dropped'
  if (outcome === 'refused' || outcome === 'reset' || outcome === 'unreachable') return 'rejected'
  throw new Error(`neither passed, dropped nor rejected: ${outcome}`)
}
