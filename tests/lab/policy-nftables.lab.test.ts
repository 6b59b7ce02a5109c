/**
 * Policies of the whole language in nftables: for each packet the answer of `explain` and the frame's fate are one. What policy-kernel.lab.test.ts does for the eBPF
 * driver, with beginnings of connections only: for the rest the kernel's conntrack has its own words (docs/packet-fates.md).
 */
import {
  ifindexOf,
  openRawSocket,
  echo,
  protocol,
  sctp,
  tcp,
  udp,
  type Ends,
  type RawSocket,
} from '@hyperward/datapath-testkit'
import {
  parseHostName,
  parseRevision,
  type Action,
  type Address,
  type EndpointId,
  type HostPlan,
  type Inventory,
  type Packet,
  type PlannedEndpoint,
} from '@hyperward/model'
import { compile, explain, linkLocalAddress, parsePolicy, resolve } from '@hyperward/policy'
import { addNamespaceEndpoint } from '@hyperward/testkit'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { arbitraryPacket, arbitraryWorld } from '../../core/policy/testing/arbitrary-policy.ts'
import { sha256 } from '../../core/policy/testing/sha256.ts'
import { createNftLab, type NftLab } from '../../drivers/nftables-endpoint/testing/nft-lab.ts'

const seed = 20_261_124
const worlds = 24
const packetsPerWorld = 60
const revision = parseRevision(1) ?? expect.fail()
const guardedHost = parseHostName('h1') ?? expect.fail()
const elsewhereMac = '02:00:00:00:00:fe'

interface Tap {
  readonly device: string
  readonly ifindex: number
  readonly socket: RawSocket
}

let lab: NftLab
let bridge = 0
let elsewhere: Tap
const taps = new Map<string, Tap>()
let port = 1024

beforeAll(async () => {
  lab = await createNftLab('hwnpol')
  bridge = ifindexOf(lab.host, 'br0')
  elsewhere = await addTap('out', elsewhereMac)
})
afterAll(async () => {
  for (const { socket } of [elsewhere, ...taps.values()]) socket.close()
  await lab.close()
})

async function addTap(name: string, mac: string): Promise<Tap> {
  const { tap, netns } = await addNamespaceEndpoint(lab.lab, { name, mac, addresses: [], host: lab.host })
  // a guest with an address would answer
  await lab.lab.exec(netns, 'ip', ['addr', 'flush', 'dev', 'eth0'])
  return { device: tap, ifindex: ifindexOf(lab.host, tap), socket: openRawSocket(netns, 'eth0') }
}

/** One for each MAC of the test world, so that the bridge learns nothing wrong. */
async function tapOf(mac: string): Promise<Tap> {
  const tap = taps.get(mac) ?? (await addTap(`t${taps.size}`, mac))
  taps.set(mac, tap)
  return tap
}

const someEnd = fc.option(fc.nat(60), { freq: 4 })
const cases = fc.record({
  world: arbitraryWorld,
  aims: fc.array(fc.record({ packet: arbitraryPacket, source: someEnd, destination: someEnd }), {
    minLength: packetsPerWorld,
    maxLength: packetsPerWorld,
  }),
})

test('explain and nftables give one verdict', async () => {
  const agreed = { passed: 0, dropped: 0 }
  await fc.assert(
    fc.asyncProperty(cases, async ({ world: { text, inventory }, aims }) => {
      const parsed = parsePolicy(text, 'p.yaml')
      const policy = parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
      // every VM on the guarded host
      const vms = inventory.vms.map((vm) => ({ ...vm, host: guardedHost }))
      const resolved = resolve(policy, { ...inventory, vms })
      const { plans } = compile(resolved, { revision, sha256 })
      const plan = plans.find((one) => one.host === guardedHost) ?? expect.fail('no plan of h1')
      await enforce(plan)
      for (const { packet, source, destination } of aims) {
        const asked = aim(plan, packet, source, destination)
        const frame = asked === null || isContested(inventory, asked) ? null : toFrame(plan, asked)
        if (asked === null || frame === null) continue
        const actions = explain(resolved, asked).sides.map((side): Action => side.action)
        const wanted = actions.every((action) => action === 'allow' || action === 'allow-stateless')
        const [from, to] = [await socketOf(plan, asked.source), await socketOf(plan, asked.destination)]
        expect([asked, actions, await arrives(from, to, frame, wanted)]).toEqual([asked, actions, wanted])
        agreed[wanted ? 'passed' : 'dropped'] += 1
      }
    }),
    { seed, numRuns: worlds, endOnFailure: true },
  )
  process.stderr.write(
    `policy-nftables: ${agreed.passed} packets passed, ${agreed.dropped} were dropped, as explained\n`,
  )
  expect(agreed.passed).toBeGreaterThan(20)
  expect(agreed.dropped).toBeGreaterThan(20)
})

async function enforce(plan: HostPlan): Promise<void> {
  const attachments = []
  for (const { id, mac } of plan.sections.endpoints) {
    const { device, ifindex } = await tapOf(mac)
    attachments.push({ endpoint: id, device, ifindex, segment: bridge })
  }
  const report = await lab.driver.reconcile(plan, attachments)
  expect(report.reason).toBe(null)
  expect(report.endpoints.filter(({ state }) => state !== 'enforced')).toEqual([])
}

/** Between guarded endpoints more often than chance would. */
function aim(plan: HostPlan, packet: Packet, source: number | null, destination: number | null): Packet | null {
  const six = packet.protocol === protocol.icmpv6 || (packet.protocol !== protocol.icmp && packet.source.includes(':'))
  const pool = plan.sections.endpoints.flatMap(({ addresses }) => addresses).filter((one) => one.includes(':') === six)
  if (pool.length === 0) return null
  const pick = (end: number | null, otherwise: Address): Address =>
    (end === null && otherwise.includes(':') === six ? otherwise : pool[(end ?? 0) % pool.length]) ?? otherwise
  return { ...packet, source: pick(source, packet.source), destination: pick(destination, packet.destination) }
}

function guardedBy(plan: HostPlan, address: Address): PlannedEndpoint | null {
  const { endpoints } = plan.sections
  return endpoints.find((one) => one.addresses.includes(address) || linkLocalAddress(one.mac) === address) ?? null
}

async function socketOf(plan: HostPlan, address: Address): Promise<RawSocket> {
  const endpoint = guardedBy(plan, address)
  return endpoint === null ? elsewhere.socket : (await tapOf(endpoint.mac)).socket
}

/** An address that two claim is nobody's: neither may use it. */
function isContested({ vms }: Inventory, { source, destination }: Packet): boolean {
  const claims = (address: Address): readonly EndpointId[] =>
    vms.flatMap((vm) => vm.endpoints.filter((one) => one.addresses.includes(address)).map((one) => one.id))
  return claims(source).length > 1 || claims(destination).length > 1
}

/** null for what begins no connection, or crosses no guarded tap. */
function toFrame(plan: HostPlan, packet: Packet): Buffer | null {
  const [source, destination] = [guardedBy(plan, packet.source), guardedBy(plan, packet.destination)]
  const six = packet.source.includes(':')
  if ((source === null && destination === null) || source?.id === destination?.id) return null
  if (six !== packet.destination.includes(':')) return null
  const ends: Ends = {
    from: source?.mac ?? elsewhereMac,
    to: destination?.mac ?? elsewhereMac,
    source: packet.source,
    destination: packet.destination,
  }
  port += 1
  const value = packet.port ?? 0
  switch (packet.protocol) {
    case protocol.tcp:
      return tcp(ends, port, value)
    case protocol.udp:
      return udp(ends, port, value)
    case protocol.sctp:
      return sctp(ends, port, value)
    case protocol.icmp:
    case protocol.icmpv6:
      return (packet.protocol === protocol.icmpv6) === six && value === (six ? 128 : 8)
        ? echo(ends, 'request', port)
        : null
    default:
      return null
  }
}

async function arrives(from: RawSocket, to: RawSocket, frame: Buffer, wanted: boolean): Promise<boolean> {
  to.receiveAll()
  from.send(frame)
  for (let turn = 0; turn < (wanted ? 40 : 2); turn += 1) {
    if (to.receiveAll().some((one) => one.equals(frame))) return true
    await new Promise((resolve) => setTimeout(resolve, turn === 0 ? 0 : 1))
  }
  return false
}
