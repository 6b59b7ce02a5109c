/** The verdicts that are neither plain allow nor plain drop, in the real kernel: allow-stateless, inspect, rules in monitor mode, log rates. */
import type { DatapathEvent, HostPlan } from '@hyperward/model'
import { execOk } from '@hyperward/os'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { createDatapathLab, type DatapathLab, type LabEndpoint } from './testing/datapath-lab.ts'
import { echo, icmp, protocol, quoted, swap, tcp, udp, type Ends } from '@hyperward/datapath-testkit'
import { endpointId, makePlan, ruleRef, type PlanVerdict } from '@hyperward/datapath-testkit'
import { openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }
const families = [ends4, ends6] as const
const deliveries = ['direct', 'bridge'] as const

let lab: DatapathLab
let a: LabEndpoint
let b: LabEndpoint
let sockets: { readonly a: RawSocket; readonly b: RawSocket }
let port = 20_000
const fresh = (): number => (port += 1)

beforeAll(async () => {
  lab = await createDatapathLab('hwk3')
  a = await lab.addEndpoint(1, [])
  b = await lab.addEndpoint(2, [])
  sockets = { a: openRawSocket(a.namespace.netns, 'eth0'), b: openRawSocket(b.namespace.netns, 'eth0') }
})
afterAll(async () => {
  for (const socket of Object.values(sockets)) socket.close()
  await lab.close()
})
beforeEach(() => {
  lab.events()
})

/** Class 1 = tcp/80, 2 = udp/53, 3 = tcp and udp ports of clients, 4 = echo requests, 5 = echo replies, 6 = unreachable. */
function planOf(verdicts: readonly PlanVerdict[]): HostPlan {
  return makePlan({
    endpoints: [
      { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
      { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
    ],
    services: [
      [protocol.icmp, 0, 0, 5],
      [protocol.icmp, 3, 3, 6],
      [protocol.icmp, 8, 8, 4],
      [protocol.tcp, 80, 80, 1],
      [protocol.tcp, 20_000, 30_000, 3],
      [protocol.udp, 53, 53, 2],
      [protocol.udp, 20_000, 30_000, 3],
      [protocol.icmpv6, 1, 1, 6],
      [protocol.icmpv6, 128, 128, 4],
      [protocol.icmpv6, 129, 129, 5],
    ],
    verdicts,
  })
}

/** Every packet between the two in one direction. */
const freely = (direction: 'ingress' | 'egress', local: number, peer: number, name: string): PlanVerdict => [
  direction,
  local,
  peer,
  0,
  'allow-stateless',
  name,
]
const aOut = freely('egress', 100, 200, 'a-out')
const aIn = freely('ingress', 100, 200, 'a-in')
const bOut = freely('egress', 200, 100, 'b-out')
const bIn = freely('ingress', 200, 100, 'b-in')

async function enforce(verdicts: readonly PlanVerdict[], delivery: (typeof deliveries)[number]): Promise<void> {
  const report = await lab.driver.reconcile(planOf(verdicts), [a.attachment(delivery), b.attachment(delivery)])
  expect(report.reason).toBe(null)
  await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Whether exactly that frame arrives. */
async function passes(from: RawSocket, to: RawSocket, frame: Buffer): Promise<boolean> {
  to.receiveAll()
  from.send(frame)
  for (let turn = 0; turn < 4; turn += 1) {
    if (to.receiveAll().some((one) => one.equals(frame))) return true
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return false
}

const toB = (frame: Buffer): Promise<boolean> => passes(sockets.a, sockets.b, frame)
const toA = (frame: Buffer): Promise<boolean> => passes(sockets.b, sockets.a, frame)

function told<K extends DatapathEvent['kind']>(kind: K): (DatapathEvent & { readonly kind: K })[] {
  return lab.events().filter((event): event is DatapathEvent & { readonly kind: K } => event.kind === kind)
}

/** Why the last frame was dropped, and at whose tap. */
function lastDrop(): unknown {
  const drop = told('drop').at(-1)
  return drop === undefined ? null : [drop.reason, drop.endpoint === endpointId(1) ? 'a' : 'b']
}

function counts(name: string): { packets: number; hits: number } {
  const read = lab.driver.readCounters()
  if (!read.known) throw new Error(read.reason)
  const { packets = 0, hits = 0 } = read.value.find(({ rule }) => rule === ruleRef(name)) ?? {}
  return { packets, hits }
}

for (const delivery of deliveries) {
  test(`without state at both sides every packet passes by itself, also amid a TCP connection (${delivery})`, async () => {
    await enforce([aOut, aIn, bOut, bIn], delivery)
    for (const ends of families) {
      const client = fresh()
      const before = [counts('a-out'), counts('b-in')]
      expect(await toB(tcp(ends, client, 80, { flags: 'PA', seq: 7, ack: 9, text: 'amid' }))).toBe(true)
      expect(await toB(tcp(ends, client, 80, { flags: 'R', seq: 8 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 1, ack: 2 }))).toBe(true)
      expect(await toA(udp(swap(ends), 53, client))).toBe(true)
      expect(await toA(echo(swap(ends), 'reply', 7))).toBe(true)
      for (const [i, name] of ['a-out', 'b-in'].entries()) {
        expect(counts(name)).toEqual({ packets: (before[i]?.packets ?? 0) + 2, hits: (before[i]?.hits ?? 0) + 2 })
      }
    }
    // no entry was made: nothing began, nothing is left to end
    expect(told('flow-start')).toEqual([])
    await enforce([], delivery)
    expect(await toB(tcp(ends4, fresh(), 80, { flags: 'PA' }))).toBe(false)
    expect(told('flow-end')).toEqual([])
  })

  test(`a reply is judged by itself where the side keeps no state (${delivery})`, async () => {
    await enforce([aOut, bIn, bOut], delivery)
    for (const ends of families) {
      const client = fresh()
      expect(await toB(tcp(ends, client, 80))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 1, ack: 1001 }))).toBe(false)
      expect(lastDrop()).toEqual(['no-connection', 'a'])
      // one that looks like a beginning is no reply at all
      expect(await toB(udp(ends, client, 53))).toBe(true)
      expect(await toA(udp(swap(ends), 53, client))).toBe(false)
      expect(lastDrop()).toEqual(['policy', 'a'])
    }
  })

  test(`one side without state leaves the other's connection as it is (${delivery})`, async () => {
    await enforce(
      [aOut, aIn, ['ingress', 200, 100, 1, 'allow', 'tcp-in'], ['ingress', 200, 100, 2, 'allow', 'udp-in']],
      delivery,
    )
    for (const ends of families) {
      const client = fresh()
      const before = counts('tcp-in')
      // not a beginning: passes at a, which keeps no state, and not at b, which does
      expect(await toB(tcp(ends, client, 80, { flags: 'A' }))).toBe(false)
      expect(lastDrop()).toEqual(['no-connection', 'b'])
      expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
      expect(await toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'FA', seq: 5001, ack: 1001 }))).toBe(true)
      expect(await toB(tcp(ends, client, 80, { flags: 'FA', seq: 1001, ack: 5002 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5002, ack: 1002 }))).toBe(true)
      expect(counts('tcp-in')).toEqual({ packets: before.packets + 6, hits: before.hits + 1 })
      const end = told('flow-end')
      expect(end).toMatchObject([{ end: 'closed', endpoint: endpointId(2), packets: 6, rule: ruleRef('tcp-in') }])
      // many replies to one question: the answering side's entry is not touched by the other's verdicts
      const asks = fresh()
      expect(await toB(udp(ends, asks, 53))).toBe(true)
      for (const text of ['one', 'two', 'three']) expect(await toA(udp(swap(ends), 53, asks, text))).toBe(true)
      expect(told('flow-start').map((event) => event.rule)).toEqual([ruleRef('udp-in')])
    }
  })

  test(`the side that asks keeps state, the answering one does not (${delivery})`, async () => {
    await enforce(
      [['egress', 100, 200, 1, 'allow', 'tcp-out'], ['egress', 100, 200, 2, 'allow', 'udp-out'], bIn, bOut],
      delivery,
    )
    for (const ends of families) {
      const client = fresh()
      expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
      expect(await toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
      // b says what it likes, a takes what belongs to its connection
      expect(await toA(tcp(swap(ends), 80, fresh(), { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(false)
      expect(lastDrop()).toEqual(['no-connection', 'a'])
      expect(await toA(udp(swap(ends), 53, client))).toBe(false)
      expect(await toB(udp(ends, client, 53))).toBe(true)
      expect(await toA(udp(swap(ends), 53, client))).toBe(true)
    }
  })

  test(`each side may admit a UDP conversation its own way round (${delivery})`, async () => {
    await enforce(
      [aOut, ['ingress', 100, 200, 3, 'allow', 'a-takes'], ['ingress', 200, 100, 2, 'allow', 'udp-in']],
      delivery,
    )
    for (const ends of families) {
      const client = fresh()
      lab.events()
      expect(await toB(udp(ends, client, 53))).toBe(true)
      // b's entry stands for b alone; a takes the answer as a conversation that b began
      for (const text of ['one', 'two']) expect(await toA(udp(swap(ends), 53, client, text))).toBe(true)
      expect(await toB(udp(ends, client, 53))).toBe(true)
      expect(told('flow-start')).toMatchObject([
        { endpoint: endpointId(2), direction: 'ingress', tuple: { sourcePort: client, destinationPort: 53 } },
        { endpoint: endpointId(1), direction: 'ingress', tuple: { sourcePort: 53, destinationPort: client } },
      ])
      // and loses it by a rule on that, not by one on its own asking
      await enforce([aOut, ['ingress', 200, 100, 2, 'allow', 'udp-in']], delivery)
      expect(await toA(udp(swap(ends), 53, client))).toBe(false)
      expect(lastDrop()).toEqual(['revoked', 'a'])
      await enforce(
        [aOut, ['ingress', 100, 200, 3, 'allow', 'a-takes'], ['ingress', 200, 100, 2, 'allow', 'udp-in']],
        delivery,
      )
    }
  })

  test(`from state to none and back: what has state no more is judged by itself, and what gets state needs a beginning (${delivery})`, async () => {
    const stateful: PlanVerdict[] = [
      ['egress', 100, 200, 1, 'allow', 'tcp-out'],
      ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
    ]
    for (const ends of families) {
      const client = fresh()
      const onward = (text: string): Buffer => tcp(ends, client, 80, { flags: 'PA', seq: 1001, ack: 5001, text })
      await enforce(stateful, delivery)
      expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
      expect(await toB(onward(''))).toBe(true)
      lab.events()
      // a's verdict alone: b's part of the entry lives on
      await enforce(
        [['egress', 100, 200, 1, 'allow-stateless', 'tcp-out'], aIn, ['ingress', 200, 100, 1, 'allow', 'tcp-in']],
        delivery,
      )
      expect(await toB(onward('x'))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5001, ack: 1001 }))).toBe(true)
      expect(told('flow-end')).toMatchObject([{ end: 'revoked', endpoint: endpointId(1) }])
      // without a rule for the answers they end
      await enforce(
        [
          ['egress', 100, 200, 1, 'allow-stateless', 'tcp-out'],
          ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
        ],
        delivery,
      )
      expect(await toB(onward('y'))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5001, ack: 1001 }))).toBe(false)
      expect(lastDrop()).toEqual(['no-connection', 'a'])
      // and a's state does not come back without a beginning
      await enforce(stateful, delivery)
      expect(await toB(onward('z'))).toBe(false)
      expect(lastDrop()).toEqual(['no-connection', 'a'])
      expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
    }
  })

  test(`the answering side may lose its state while the asking one keeps its own (${delivery})`, async () => {
    const out: PlanVerdict = ['egress', 100, 200, 1, 'allow', 'tcp-out']
    for (const ends of families) {
      const client = fresh()
      await enforce([out, ['ingress', 200, 100, 1, 'allow', 'tcp-in']], delivery)
      expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
      lab.events()
      await enforce([out, bIn, bOut], delivery)
      expect(await toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'PA', seq: 5001, ack: 1001, text: 'x' }))).toBe(true)
      expect(told('flow-end')).toMatchObject([{ end: 'revoked', endpoint: endpointId(2), direction: 'ingress' }])
    }
  })

  test(`a reply to a query is judged by its own type where there is no state (${delivery})`, async () => {
    const asks: PlanVerdict = ['egress', 100, 200, 4, 'allow-stateless', 'ask']
    const answers: PlanVerdict = ['egress', 200, 100, 5, 'allow-stateless', 'answer']
    for (const ends of families) {
      await enforce([asks, bIn, answers, ['ingress', 100, 200, 5, 'allow-stateless', 'answered']], delivery)
      expect(await toB(echo(ends, 'request', fresh()))).toBe(true)
      expect(await toA(echo(swap(ends), 'reply', port))).toBe(true)
      await enforce([asks, bIn, answers, ['ingress', 100, 200, 4, 'allow-stateless', 'asked']], delivery)
      expect(await toA(echo(swap(ends), 'reply', port))).toBe(false)
      expect(lastDrop()).toEqual(['no-connection', 'a'])
    }
  })

  test(`ICMP errors pass a side without state by a verdict on themselves, and not as part of anything (${delivery})`, async () => {
    const unreachable = (ends: Ends, about: Buffer): Buffer =>
      icmp(swap(ends), ends === ends6 ? 1 : 3, ends === ends6 ? 4 : 3, quoted(about))
    for (const ends of families) {
      await enforce(
        [
          ['egress', 100, 200, 2, 'allow-stateless', 'ask'],
          ['ingress', 200, 100, 2, 'allow-stateless', 'asked'],
        ],
        delivery,
      )
      const question = udp(ends, fresh(), 53)
      expect(await toB(question)).toBe(true)
      expect(await toA(unreachable(ends, question))).toBe(false)
      expect(lastDrop()).toEqual(['icmp-error', 'b'])
      await enforce([aOut, bIn, ['egress', 200, 100, 6, 'allow-stateless', 'errors-out']], delivery)
      expect(await toA(unreachable(ends, question))).toBe(false)
      expect(lastDrop()).toEqual(['icmp-error', 'a'])
      // allow with state opens nothing for an error that belongs to no connection
      await enforce([aOut, bIn, bOut, ['ingress', 100, 200, 6, 'allow', 'errors-in']], delivery)
      expect(await toA(unreachable(ends, question))).toBe(false)
      await enforce([aOut, bIn, bOut, ['ingress', 100, 200, 6, 'allow-stateless', 'errors-in']], delivery)
      expect(await toA(unreachable(ends, question))).toBe(true)
      // an address that is not the endpoint's own stays forged
      const forged = { ...ends, source: ends === ends4 ? '10.9.0.77' : 'fd00:9::77' }
      expect(await toB(udp(forged, fresh(), 53))).toBe(false)
      expect(lastDrop()).toEqual(['source-address', 'a'])
    }
  })

  test(`a fragment is dropped, whatever the verdict (${delivery})`, async () => {
    await enforce([aOut, aIn, bOut, bIn], delivery)
    for (const fragment of [0x2000, 0x2001, 0x0001]) {
      expect(await toB(udp(ends4, fresh(), 53, 'x', { fragment }))).toBe(false)
      expect(lastDrop()).toEqual(['fragment', 'a'])
    }
    const header = Buffer.from([protocol.udp, 0, 0, 1, 0, 0, 0, 7])
    expect(await toB(udp(ends6, fresh(), 53, 'x', { nextHeader: 44, extra: header }))).toBe(false)
    expect(lastDrop()).toEqual(['fragment', 'a'])
  })

  test(`what is to be inspected passes nowhere while no gateway is attached, and the rule is told (${delivery})`, async () => {
    for (const ends of families) {
      await enforce(
        [
          ['egress', 100, 200, 1, 'inspect', 'look-out'],
          ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
        ],
        delivery,
      )
      const before = counts('look-out')
      expect(await toB(tcp(ends, fresh(), 80))).toBe(false)
      expect(told('drop')).toMatchObject([
        {
          reason: 'no-gateway',
          rule: ruleRef('look-out'),
          action: 'drop',
          endpoint: endpointId(1),
          direction: 'egress',
        },
      ])
      expect(counts('look-out')).toEqual({ packets: before.packets + 1, hits: before.hits + 1 })
      await enforce(
        [
          ['egress', 100, 200, 1, 'allow', 'tcp-out'],
          ['ingress', 200, 100, 1, 'inspect', 'look-in'],
        ],
        delivery,
      )
      expect(await toB(tcp(ends, fresh(), 80))).toBe(false)
      expect(told('drop')).toMatchObject([
        { reason: 'no-gateway', rule: ruleRef('look-in'), endpoint: endpointId(2), direction: 'ingress' },
      ])
      // a connection that stood before the rule is cut
      await enforce(
        [
          ['egress', 100, 200, 2, 'allow', 'udp-out'],
          ['ingress', 200, 100, 2, 'allow', 'udp-in'],
        ],
        delivery,
      )
      const client = fresh()
      expect(await toB(udp(ends, client, 53))).toBe(true)
      await enforce(
        [
          ['egress', 100, 200, 2, 'inspect', 'look-out'],
          ['ingress', 200, 100, 2, 'allow', 'udp-in'],
        ],
        delivery,
      )
      expect(await toB(udp(ends, client, 53))).toBe(false)
      expect(lastDrop()).toEqual(['revoked', 'a'])
    }
  })

  test(`a rule in monitor mode is counted and told at each new connection, and decides nothing (${delivery})`, async () => {
    for (const ends of families) {
      await enforce(
        [
          ['egress', 100, 200, 1, 'allow', 'tcp-out', false, ['no-web', 'drop']],
          ['ingress', 200, 100, 1, 'allow', 'tcp-in', false, ['look-in', 'inspect']],
          ['egress', 100, 200, 2, 'drop', 'no-dns', false, ['dns', 'allow']],
          ['egress', 100, 200, 4, 'allow-stateless', 'ping', false, ['no-ping', 'reject']],
        ],
        delivery,
      )
      lab.events()
      const names = ['no-web', 'look-in', 'dns', 'no-ping', 'tcp-out'] as const
      const before = names.map(counts)
      const client = fresh()
      expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
      expect(await toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
      const tuple = {
        source: ends.source,
        destination: ends.destination,
        protocol: 6,
        sourcePort: client,
        destinationPort: 80,
      }
      expect(told('monitor')).toMatchObject([
        {
          rule: ruleRef('no-web'),
          action: 'drop',
          direction: 'egress',
          endpoint: endpointId(1),
          tuple,
          packets: 1,
          suppressed: 0,
        },
        { rule: ruleRef('look-in'), action: 'inspect', direction: 'ingress', endpoint: endpointId(2), tuple },
      ])
      expect(await toB(udp(ends, client, 53))).toBe(false)
      const events = lab.events()
      expect(events).toMatchObject([
        { kind: 'monitor', rule: ruleRef('dns'), action: 'allow' },
        { kind: 'drop', rule: ruleRef('no-dns') },
      ])
      expect(await toB(echo(ends, 'request', 5))).toBe(false)
      expect(told('monitor')).toMatchObject([{ rule: ruleRef('no-ping'), action: 'reject' }])
      const hits = names.map((name, i) => counts(name).hits - (before[i]?.hits ?? 0))
      expect(hits).toEqual([1, 1, 1, 1, 1])
      // of three packets of the connection the monitor rule counts the first
      expect(counts('no-web').packets - (before[0]?.packets ?? 0)).toBe(1)
      expect(counts('tcp-out').packets - (before[4]?.packets ?? 0)).toBe(3)
    }
  })
}

test('without state at both sides a packet is handed over without the bridge; with it at one, it is not', async () => {
  const detach = (...words: string[]): Promise<unknown> =>
    execOk('ip', ['-n', lab.host, 'link', 'set', b.namespace.tap, ...words])
  await enforce([aOut, aIn, bOut, bIn], 'direct')
  await detach('nomaster')
  try {
    for (const ends of families) {
      expect(await toB(tcp(ends, fresh(), 80, { flags: 'PA' }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, fresh(), { flags: 'PA' }))).toBe(true)
    }
    await enforce([aOut, ['ingress', 200, 100, 1, 'allow', 'tcp-in']], 'direct')
    expect(await toB(tcp(ends4, fresh(), 80))).toBe(false)
  } finally {
    await detach('master', 'br0')
  }
})

test('a rule without state and with log tells its packets, as often as its rate allows', async () => {
  await enforce([['egress', 100, 200, 1, 'allow-stateless', 'told', 2], aIn, bOut, bIn], 'direct')
  lab.events()
  const client = fresh()
  for (let i = 0; i < 5; i += 1) sockets.a.send(tcp(ends4, client, 80, { flags: 'PA' }))
  expect(lab.events()).toMatchObject(
    Array.from({ length: 2 }, () => ({
      kind: 'flow-start',
      rule: ruleRef('told'),
      direction: 'egress',
      packets: 1,
      tuple: { source: ends4.source, sourcePort: client, destinationPort: 80 },
    })),
  )
})

test('what monitors is told within a budget of its own, and the rest is counted', async () => {
  await enforce([['egress', 100, 200, 1, 'allow', 'tcp-out', false, ['no-web', 'drop']], bIn], 'direct')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  lab.events()
  const before = counts('no-web').hits
  for (let i = 0; i < 80; i += 1) sockets.a.send(tcp(ends4, fresh(), 80))
  const events = lab.events()
  expect(events.filter((event) => event.kind === 'monitor').length).toBe(50)
  expect(events.filter((event) => event.kind === 'flow-start').length).toBe(80)
  expect(counts('no-web').hits - before).toBe(80)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  sockets.a.send(tcp(ends4, fresh(), 80))
  expect(told('monitor')).toMatchObject([{ suppressed: 30 }])
})

test('a log rate bounds what is told of a rule on this host, whichever endpoint it is at; the rest is counted and told', async () => {
  const both: PlanVerdict[] = [
    ['egress', 100, 200, 1, 'allow', 'tcp-out', 3],
    ['egress', 200, 100, 1, 'allow', 'tcp-out', 3],
    ['egress', 100, 200, 2, 'drop', 'no-dns', 2],
    bIn,
    aIn,
  ]
  await enforce(both, 'direct')
  lab.events()
  const hits = counts('tcp-out').hits
  const opened: number[] = []
  for (let i = 0; i < 5; i += 1) {
    opened.push(fresh())
    sockets.a.send(tcp(ends4, opened.at(-1) ?? 0, 80))
    sockets.b.send(tcp(swap(ends4), fresh(), 80))
    sockets.a.send(udp(ends4, fresh(), 53))
  }
  const events = lab.events()
  expect(events.filter((event) => event.kind === 'flow-start').length).toBe(3)
  expect(events.filter((event) => event.kind === 'drop').length).toBe(2)
  expect(counts('tcp-out').hits - hits).toBe(10)
  // of what was told the end is told, and of nothing else
  for (const client of opened) sockets.a.send(tcp(ends4, client, 80, { flags: 'R', seq: 1001 }))
  const ended = told('flow-end').map((event) => event.tuple.sourcePort)
  const begun = events.flatMap((event) => (event.kind === 'flow-start' ? [event.tuple.sourcePort] : []))
  expect(ended).toEqual(begun.filter((one) => opened.includes(one)))
  await new Promise((resolve) => setTimeout(resolve, 1100))
  sockets.a.send(tcp(ends4, fresh(), 80))
  sockets.a.send(udp(ends4, fresh(), 53))
  const later = lab.events()
  expect(later.find((event) => event.kind === 'flow-start')).toMatchObject({ suppressed: 7 })
  expect(later.find((event) => event.kind === 'drop')).toMatchObject({ suppressed: 3 })
})

test('log rates and monitor rules are read back: a change of one is a change, and nothing else is', async () => {
  const row = (rate: number, monitor: string): PlanVerdict[] => [
    ['egress', 100, 200, 1, 'allow', 'tcp-out', rate, [monitor, 'drop', 7]],
  ]
  await enforce(row(3, 'no-web'), 'direct')
  const same = await lab.restart().reconcile(planOf(row(3, 'no-web')), [a.attachment(), b.attachment()])
  expect(same).toMatchObject({ generation: 'kept' })
  expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
  for (const changed of [row(4, 'no-web'), row(4, 'other')]) {
    const report = await lab.driver.reconcile(planOf(changed), [a.attachment(), b.attachment()])
    expect(report).toMatchObject({ outcome: 'applied', steps: 1 })
  }
})
