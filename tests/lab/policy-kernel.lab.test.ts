/**
 * Policies of the whole language in the real kernel: for each packet the reference evaluator, the look-up in the plan, `explain`, and the frame's fate on
 * namespace endpoints are one. Also which rules counted a hit, monitor mode among them. Host h1 is guarded; the rest of the world is one open port.
 */
import {
  parseHostName,
  parseRevision,
  type Action,
  type Address,
  type Direction,
  type EndpointId,
  type HostPlan,
  type Inventory,
  type Packet,
  type PlannedEndpoint,
  type Policy,
  type RuleRef,
} from '@hyperward/model'
import { compile, explain, linkLocalAddress, lookupVerdict, parsePolicy, resolve } from '@hyperward/policy'
import { execOk } from '@hyperward/os'
import { addNamespaceEndpoint } from '@hyperward/testkit'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { arbitraryPacket, arbitraryWorld } from '../../core/policy/testing/arbitrary-policy.ts'
import { ownerOf, referenceVerdict } from '../../core/policy/testing/reference-verdict.ts'
import { sha256 } from '../../core/policy/testing/sha256.ts'
import { loadLibbpf, type Libbpf } from '../../drivers/ebpf/libbpf.ts'
import { pinDirectory } from '../../drivers/ebpf/names.ts'
import { layout } from '../../drivers/ebpf/render.ts'
import { createDatapathLab, type DatapathLab } from '../../drivers/ebpf/testing/datapath-lab.ts'
import { echo, icmp, ip, protocol, sctp, tcp, udp, type Ends } from '@hyperward/datapath-testkit'
import { ifindexOf, openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

const seeds = [20_261_123, 3, 1_917] as const
const worldsPerSeed = 24
const packetsPerWorld = 100

const revision = parseRevision(1) ?? expect.fail()
const guardedHost = parseHostName('h1') ?? expect.fail()
const elsewhereMac = '02:00:00:00:00:fe'
const halfOpenConnections = 2048
const directions: readonly Direction[] = ['egress', 'ingress']

interface Tap {
  readonly device: string
  readonly ifindex: number
  readonly socket: RawSocket
}

interface Side {
  readonly action: Action
  readonly ref: RuleRef
  readonly monitor?: RuleRef
}

type Fate = 'passed' | 'dropped' | 'rejected'

let lab: DatapathLab
let bpf: Libbpf
let elsewhere: Tap
const taps = new Map<string, Tap>()
let port = 1024
let hits: ReadonlyMap<RuleRef, number> = new Map()

beforeAll(async () => {
  lab = await createDatapathLab('hwk3p', { halfOpenConnections, connections: 4096 })
  const loaded = loadLibbpf()
  if (!loaded.known) throw new Error(loaded.reason)
  bpf = loaded.value
  elsewhere = await addTap('out', elsewhereMac)
})
afterAll(async () => {
  for (const { socket } of [elsewhere, ...taps.values()]) socket.close()
  await lab.close()
})

async function addTap(name: string, mac: string): Promise<Tap> {
  const namespace = await addNamespaceEndpoint(lab.lab, { name, mac, addresses: [], host: lab.host })
  // a guest with an address would answer
  await execOk('ip', ['-n', namespace.netns, 'link', 'set', 'eth0', 'addrgenmode', 'none'])
  await execOk('ip', ['-n', namespace.netns, 'addr', 'flush', 'dev', 'eth0'])
  return {
    device: namespace.tap,
    ifindex: ifindexOf(lab.host, namespace.tap),
    socket: openRawSocket(namespace.netns, 'eth0'),
  }
}

/** One for each MAC of the test world, so that the bridge learns nothing wrong. */
async function tapOf(mac: string): Promise<Tap> {
  const tap = taps.get(mac) ?? (await addTap(`t${taps.size}`, mac))
  taps.set(mac, tap)
  return tap
}

for (const seed of seeds) {
  test(`reference, plan, explain and kernel give one verdict (seed ${seed})`, async () => {
    const agreed: Record<Fate, number> = { passed: 0, dropped: 0, rejected: 0 }
    const decidedBy = new Map<Action, number>()
    await fc.assert(
      fc.asyncProperty(arbitraryCase, async ({ world: { text, inventory }, crowded, aims, direct }) => {
        const vms = crowded ? inventory.vms.map((vm) => ({ ...vm, host: guardedHost })) : inventory.vms
        const world = await enforce(text, { ...inventory, vms }, direct)
        for (const aim of aims) {
          const packet = toPacket(world.local, aim)
          const fate = packet === null ? null : await expectOneVerdict(world, packet, decidedBy)
          if (fate !== null) agreed[fate] += 1
        }
      }),
      { seed, numRuns: worldsPerSeed, endOnFailure: true },
    )
    const total = agreed.passed + agreed.dropped + agreed.rejected
    const actions = [...decidedBy].map(([action, count]) => `${action} ${count}`).toSorted()
    process.stderr.write(
      `policy-kernel: seed ${seed}: ${total} packets agreed (${agreed.passed} passed, ${agreed.dropped} dropped, ${agreed.rejected} rejected); verdicts of sides: ${actions.join(', ')}\n`,
    )
    expect(agreed.passed).toBeGreaterThan(20)
    expect(agreed.dropped).toBeGreaterThan(20)
    expect(agreed.rejected).toBeGreaterThan(20)
  })
}

/** A packet whose ends are guarded endpoints', or as they come. */
interface Aim {
  readonly packet: Packet
  readonly source: number | null
  readonly destination: number | null
}

const someEnd = fc.option(fc.nat(60), { freq: 3 })
const arbitraryCase = fc.record({
  world: arbitraryWorld,
  /** Every VM on the guarded host. */
  crowded: fc.integer({ min: 0, max: 3 }).map((one) => one > 0),
  aims: fc.array(fc.record({ packet: arbitraryPacket, source: someEnd, destination: someEnd }), {
    minLength: packetsPerWorld,
    maxLength: packetsPerWorld,
  }),
  direct: fc.boolean(),
})

function toPacket(local: HostPlan, { packet, source, destination }: Aim): Packet | null {
  const six = packet.protocol === protocol.icmpv6 || (packet.protocol !== protocol.icmp && packet.source.includes(':'))
  const pool = local.sections.endpoints
    .flatMap(({ mac, addresses }) => [...addresses, linkLocalAddress(mac)])
    .filter((address) => address.includes(':') === six)
  if (pool.length === 0) return null
  // an address of the other family is none of this packet's
  const pick = (end: number | null, otherwise: Address): Address => {
    const at = end ?? (otherwise.includes(':') === six ? null : pool.length - 1)
    return (at === null ? undefined : pool[at % pool.length]) ?? otherwise
  }
  return { ...packet, source: pick(source, packet.source), destination: pick(destination, packet.destination) }
}

interface EnforcedWorld {
  readonly policy: Policy
  readonly inventory: Inventory
  readonly resolved: ReturnType<typeof resolve>
  readonly plans: readonly HostPlan[]
  readonly local: HostPlan
  readonly direct: boolean
}

async function enforce(text: string, inventory: Inventory, direct: boolean): Promise<EnforcedWorld> {
  const parsed = parsePolicy(text, 'p.yaml')
  const policy = parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
  const resolved = resolve(policy, inventory)
  const { plans } = compile(resolved, { revision, sha256 })
  const local = plans.find((plan) => plan.host === guardedHost) ?? expect.fail('no plan of h1')
  const attachments = []
  for (const { id, mac } of local.sections.endpoints) {
    const { device, ifindex } = await tapOf(mac)
    attachments.push({ endpoint: id, device, ifindex, segment: direct ? lab.bridge : 0 })
  }
  const report = await lab.driver.reconcile(local, attachments)
  expect([report.outcome === 'failed', report.reason]).toEqual([false, null])
  expect(report.endpoints.map((one) => one.state).filter((state) => state !== 'enforced')).toEqual([])
  hits = readHits()
  return { policy, inventory, resolved, plans, local, direct }
}

/** Null for what cannot be asked of the kernel: no end is guarded here, or no frame can be such a packet. */
async function expectOneVerdict(
  world: EnforcedWorld,
  packet: Packet,
  decidedBy: Map<Action, number>,
): Promise<Fate | null> {
  const { policy, inventory, resolved, plans, local } = world
  const explained = explain(resolved, packet)
  for (const direction of directions) {
    const expected = referenceVerdict(policy, inventory, packet, direction)
    const side = explained.sides.find((one) => one.direction === direction)
    expect([packet, direction, side === undefined ? null : toSide(side.action, side.ref, side.monitor?.ref)]).toEqual([
      packet,
      direction,
      expected,
    ])
    if (expected === null) continue
    const address = localOf(packet, direction)
    const host = ownerOf(inventory, address)?.host
    const plan = plans.find((one) => one.host === host) ?? expect.fail('no plan of the host')
    expect([packet, direction, lookUp(plan, packet, direction)]).toEqual([packet, direction, expected])
  }

  const source = guardedBy(local, packet.source)
  const destination = guardedBy(local, packet.destination)
  if ((source === null && destination === null) || source?.id === destination?.id) return null
  if (isContested(world, packet.source) || isContested(world, packet.destination)) return null
  const made = toFrame(packet, source, destination)
  if (made === null) return null
  const egress = source === null ? null : lookUp(local, packet, 'egress')
  const ingress = destination === null ? null : lookUp(local, packet, 'ingress')
  const expected = foresee(world, packet, made, { source, destination, egress, ingress })
  const from = source === null ? elsewhere : await tapOf(source.mac)
  const to = destination === null ? elsewhere : await tapOf(destination.mac)
  if (made.lasting) forgetConnections()
  const fate = await send(from.socket, to.socket, made.frame, expected.fate, expected.answered)
  expect([packet, egress, ingress, world.direct, fate]).toEqual([packet, egress, ingress, world.direct, expected.seen])
  const now = readHits()
  const counted = [...now].flatMap(([ref, count]) =>
    count === (hits.get(ref) ?? 0) ? [] : [[ref, count - (hits.get(ref) ?? 0)] as const],
  )
  hits = now
  expect([packet, egress, ingress, world.direct, new Map(counted)]).toEqual([
    packet,
    egress,
    ingress,
    world.direct,
    expected.hits,
  ])
  for (const side of [egress, ingress]) {
    if (side !== null) decidedBy.set(side.action, (decidedBy.get(side.action) ?? 0) + 1)
  }
  return expected.fate
}

interface Ask {
  readonly source: PlannedEndpoint | null
  readonly destination: PlannedEndpoint | null
  readonly egress: Side | null
  readonly ingress: Side | null
}

interface Foreseen {
  readonly fate: Fate
  /** Whether an answer to a reject reaches the sender. */
  readonly answered: boolean
  readonly seen: Fate
  readonly hits: ReadonlyMap<RuleRef, number>
}

/** docs/packet-fates.md: egress, then ingress, each where it is guarded. */
function foresee(
  world: EnforcedWorld,
  packet: Packet,
  made: Made,
  { source, destination, egress, ingress }: Ask,
): Foreseen {
  const counted = new Map<RuleRef, number>()
  const count = (ref: RuleRef | undefined): void => {
    if (ref !== undefined) counted.set(ref, (counted.get(ref) ?? 0) + 1)
  }
  const end = (fate: Fate, answered = false): Foreseen => ({
    fate,
    answered,
    seen: fate === 'rejected' && !answered ? 'dropped' : fate,
    hits: counted,
  })
  const passesBy = (side: Side): boolean =>
    side.action === 'allow-stateless' || (side.action === 'allow' && made.begins)
  const handedOver =
    world.direct &&
    egress?.action === 'allow' &&
    source !== null &&
    destination !== null &&
    source.tenant === destination.tenant &&
    destination.addresses.includes(packet.destination) &&
    ingress?.action !== 'allow-stateless'
  if (egress !== null) {
    if (!passesBy(egress) && !made.begins) return end('dropped')
    count(egress.monitor)
    // handed over, both verdicts are taken before anything is counted
    if (!handedOver || ingress === null || ingress.action === 'allow') count(egress.ref)
    if (!passesBy(egress)) return egress.action === 'reject' ? end('rejected', made.answerable) : end('dropped')
  }
  if (ingress === null) return end('passed')
  if (!passesBy(ingress) && !made.begins) return end('dropped')
  count(ingress.monitor)
  count(ingress.ref)
  if (passesBy(ingress)) return end('passed')
  if (ingress.action !== 'reject') return end('dropped')
  if (!made.answerable || egress === null || egress.action === 'allow') return end('rejected', made.answerable)
  // a sender without state judges the answer by itself
  const answer: Packet =
    packet.protocol === protocol.tcp
      ? { source: packet.destination, destination: packet.source, protocol: protocol.tcp, port: made.sourcePort }
      : packet.source.includes(':')
        ? { source: packet.destination, destination: packet.source, protocol: protocol.icmpv6, port: 1 }
        : { source: packet.destination, destination: packet.source, protocol: protocol.icmp, port: 3 }
  const back = lookUp(world.local, answer, 'ingress')
  if (back.action !== 'allow-stateless') return end('rejected')
  count(back.monitor)
  count(back.ref)
  return end('rejected', true)
}

interface Made {
  readonly frame: Buffer
  readonly sourcePort: number
  /** Begins a connection; what does not passes only without state. */
  readonly begins: boolean
  /** Its kind of packet may be answered when rejected. */
  readonly answerable: boolean
  /** Without a port or identifier of its own, it would belong to the connection of an earlier one. */
  readonly lasting: boolean
}

function toFrame(packet: Packet, source: PlannedEndpoint | null, destination: PlannedEndpoint | null): Made | null {
  const six = packet.source.includes(':')
  if (six !== packet.destination.includes(':') || packet.source === packet.destination) return null
  const ends: Ends = {
    from: source?.mac ?? elsewhereMac,
    to: destination?.mac ?? elsewhereMac,
    source: packet.source,
    destination: packet.destination,
  }
  const value = packet.port ?? 0
  port += 1
  const usual = { sourcePort: port, begins: true, answerable: true, lasting: false }
  switch (packet.protocol) {
    case protocol.tcp:
      return { ...usual, frame: tcp(ends, port, value) }
    case protocol.udp:
      return { ...usual, frame: udp(ends, port, value) }
    case protocol.sctp:
      return { ...usual, frame: sctp(ends, port, value) }
    case protocol.icmp:
    case protocol.icmpv6: {
      if ((packet.protocol === protocol.icmpv6) !== six) return null
      if (value === (six ? 128 : 8)) return { ...usual, frame: echo(ends, 'request', port) }
      const reply = value === (six ? 129 : 0)
      const frame = icmp(ends, value, 0, Buffer.from([port >> 8, port & 255, 0, 1]))
      return { ...usual, frame, begins: !reply, answerable: !reply, lasting: true }
    }
    default:
      return { ...usual, frame: ip(ends, packet.protocol, Buffer.alloc(16)), lasting: true }
  }
}

/** What becomes of a frame: it arrives, an answer comes back, or neither. Looks once more when nothing is expected. */
async function send(from: RawSocket, to: RawSocket, frame: Buffer, expected: Fate, answered: boolean): Promise<Fate> {
  from.receiveAll()
  to.receiveAll()
  from.send(frame)
  const turns = expected === 'passed' || answered ? 40 : 2
  for (let turn = 0; turn < turns; turn += 1) {
    if (to.receiveAll().some((one) => one.equals(frame))) return 'passed'
    if (from.receiveAll().some((one) => isAnswer(one, frame))) return 'rejected'
    await new Promise((resolve) => setTimeout(resolve, turn === 0 ? 0 : 1))
  }
  return 'dropped'
}

/** Back to the sender's MAC and address, from the address that was asked. */
function isAnswer(frame: Buffer, asked: Buffer): boolean {
  if (!frame.subarray(0, 6).equals(asked.subarray(6, 12))) return false
  const [at, size] = asked.readUInt16BE(12) === 0x0800 ? [26, 4] : [22, 16]
  return (
    frame.subarray(at, at + size).equals(asked.subarray(at + size, at + 2 * size)) &&
    frame.subarray(at + size, at + 2 * size).equals(asked.subarray(at, at + size))
  )
}

function lookUp(plan: HostPlan, packet: Packet, direction: Direction): Side {
  const local = localOf(packet, direction)
  const peer = direction === 'egress' ? packet.destination : packet.source
  const { action, rule, monitor } = lookupVerdict(plan, direction, local, peer, packet.protocol, packet.port)
  return toSide(action, rule.ref, monitor?.ref)
}

function toSide(action: Action, ref: RuleRef, monitor: RuleRef | undefined): Side {
  return monitor === undefined ? { action, ref } : { action, ref, monitor }
}

function localOf(packet: Packet, direction: Direction): Address {
  return direction === 'egress' ? packet.source : packet.destination
}

function guardedBy(plan: HostPlan, address: Address): PlannedEndpoint | null {
  return (
    plan.sections.endpoints.find((one) => one.addresses.includes(address) || linkLocalAddress(one.mac) === address) ??
    null
  )
}

/** An address that two claim is nobody's: neither may use it. */
function isContested({ inventory }: EnforcedWorld, address: Address): boolean {
  const claims = inventory.vms.flatMap((vm): EndpointId[] =>
    vm.tenant === null ? [] : vm.endpoints.filter((one) => one.addresses.includes(address)).map((one) => one.id),
  )
  return claims.length > 1
}

function readHits(): ReadonlyMap<RuleRef, number> {
  const read = lab.driver.readCounters()
  if (!read.known) throw new Error(read.reason)
  return new Map(read.value.map((one) => [one.rule, one.hits]))
}

function forgetConnections(): void {
  const fd = bpf.openPin(`${pinDirectory(lab.pinRoot)}/conn_new`)
  const { key, value } = layout.conn
  const read = bpf.readAll(fd, key, value, halfOpenConnections)
  if (typeof read === 'number') throw new Error(`connections cannot be read (errno ${-read})`)
  for (let i = 0; i < read.count; i += 1) bpf.remove(fd, read.keys.subarray(i * key, (i + 1) * key))
  bpf.closeFd(fd)
}
