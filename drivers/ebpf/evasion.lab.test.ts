/** Ways around policy that a guest can try with frames of its own, each shown to lead nowhere; delivered directly and over the bridge. */
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createDatapathLab, type DatapathLab, type LabEndpoint } from './testing/datapath-lab.ts'
import { echo, icmp, ip, protocol, tcp, udp, type Ends } from '@hyperward/datapath-testkit'
import { makePlan } from '@hyperward/datapath-testkit'
import { openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

// acme's 1 may speak to acme's 2; globex's 3 and acme's 4 are named by no rule
const plan = makePlan({
  endpoints: [
    { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
    { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
    { number: 3, tenant: 'globex', identity: 300, addresses: ['10.9.0.3', 'fd00:9::3'] },
    { number: 4, tenant: 'acme', identity: 400, addresses: ['10.9.0.4', 'fd00:9::4'] },
  ],
  services: [
    [protocol.tcp, 80, 80, 1],
    [protocol.udp, 53, 53, 1],
    [protocol.icmp, 8, 8, 1],
    [protocol.icmpv6, 128, 128, 1],
  ],
  verdicts: [
    ['egress', 100, 200, 1, 'allow', 'a-to-b'],
    ['ingress', 200, 100, 1, 'allow', 'b-from-a'],
  ],
})

const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }
const broadcast = 'ff:ff:ff:ff:ff:ff'

let lab: DatapathLab
let endpoints: readonly LabEndpoint[] = []
let sockets: readonly RawSocket[] = []
let port = 21_000
const fresh = (): number => (port += 1)

beforeAll(async () => {
  lab = await createDatapathLab('hweevade')
  const made: LabEndpoint[] = []
  for (const number of [1, 2, 3, 4]) made.push(await lab.addEndpoint(number, []))
  endpoints = made
  sockets = made.map((endpoint) => openRawSocket(endpoint.namespace.netns, 'eth0'))
})
afterAll(async () => {
  for (const socket of sockets) socket.close()
  await lab.close()
})

function socketOf(number: number): RawSocket {
  const socket = sockets[number - 1]
  if (socket === undefined) throw new Error(`no endpoint ${number}`)
  return socket
}

async function arrives(from: number, to: number, frame: Buffer): Promise<boolean> {
  socketOf(to).receiveAll()
  socketOf(from).send(frame)
  for (let turn = 0; turn < 8; turn += 1) {
    if (
      socketOf(to)
        .receiveAll()
        .some((one) => one.equals(frame))
    )
      return true
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return false
}

for (const delivery of ['direct', 'bridge'] as const) {
  test(`an allowed address in a frame to somebody else reaches nobody (${delivery})`, async () => {
    await lab.driver.reconcile(
      plan,
      endpoints.map((endpoint) => endpoint.attachment(delivery)),
    )
    for (const ends of [ends4, ends6]) {
      // the control: the same packet to whom it names
      expect(await arrives(1, 2, udp(ends, fresh(), 53))).toBe(true)
      expect(await arrives(1, 2, tcp(ends, fresh(), 80))).toBe(true)
      for (const to of [3, 4]) {
        expect(await arrives(1, to, udp({ ...ends, to }, fresh(), 53))).toBe(false)
        expect(await arrives(1, to, tcp({ ...ends, to }, fresh(), 80))).toBe(false)
        expect(await arrives(1, to, udp({ ...ends, to: broadcast }, fresh(), 53))).toBe(false)
        expect(await arrives(1, to, echo({ ...ends, to }, 'request', fresh()))).toBe(false)
      }
      // nor on a connection that is known already
      const known = fresh()
      expect(await arrives(1, 2, udp(ends, known, 53))).toBe(true)
      expect(await arrives(1, 3, udp({ ...ends, to: 3 }, known, 53))).toBe(false)
      expect(await arrives(1, 4, udp({ ...ends, to: 4 }, known, 53))).toBe(false)
      expect(await arrives(1, 2, udp(ends, known, 53))).toBe(true)
    }
  })

  test(`an ICMP identifier that equals a type opens no other query (${delivery})`, async () => {
    await lab.driver.reconcile(
      plan,
      endpoints.map((endpoint) => endpoint.attachment(delivery)),
    )
    const query = (ends: Ends, type: number, identifier: number): Buffer =>
      icmp(ends, type, 0, Buffer.from([identifier >> 8, identifier & 255, 0, 1]))
    const back: Ends = { from: 2, to: 1, source: ends4.destination, destination: ends4.source }
    expect(await arrives(1, 2, query(ends4, 8, 13))).toBe(true)
    expect(await arrives(1, 2, query(ends4, 14, 8))).toBe(false)
    expect(await arrives(2, 1, query(back, 13, 8))).toBe(false)
    expect(await arrives(2, 1, query(back, 0, 13))).toBe(true)
  })

  test(`a listener report to an address is no tunnel (${delivery})`, async () => {
    await lab.driver.reconcile(
      plan,
      endpoints.map((endpoint) => endpoint.attachment(delivery)),
    )
    const report = (over: Partial<Ends>): Buffer =>
      icmp({ ...ends6, ...over }, 143, 0, Buffer.alloc(1200, 0x41), { hopLimit: 1 })
    expect(await arrives(1, 3, report({ to: 3, destination: 'fd00:9::3' }))).toBe(false)
    expect(await arrives(1, 3, report({ to: broadcast, destination: 'fd00:9::3' }))).toBe(false)
    const alert = { hopLimit: 1, nextHeader: 0, extra: Buffer.from([58, 0, 5, 2, 0, 0, 1, 0]) }
    const body = Buffer.from([143, 0, 0, 0, 0, 0, 0, 0])
    const toUnicast = ip({ ...ends6, to: 3, destination: 'fd00:9::3' }, protocol.icmpv6, body, alert)
    expect(await arrives(1, 3, toUnicast)).toBe(false)
  })
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

test('one tenant that fills its part of the table leaves the others theirs', async () => {
  const crowded = await createDatapathLab('hwecrowd', { connections: 256, halfOpenConnections: 1024 })
  const opened: RawSocket[] = []
  try {
    const made: LabEndpoint[] = []
    for (const number of [1, 2, 3, 4]) made.push(await crowded.addEndpoint(number, []))
    const open = (number: number): RawSocket => {
      const endpoint = made[number - 1]
      if (endpoint === undefined) throw new Error(`no endpoint ${number}`)
      const socket = openRawSocket(endpoint.namespace.netns, 'eth0')
      opened.push(socket)
      return socket
    }
    const tenants = { acme: [open(1), open(2)], globex: [open(3), open(4)] } as const
    const services = makePlan({
      endpoints: [
        { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1'] },
        { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2'] },
        { number: 3, tenant: 'globex', identity: 300, addresses: ['10.9.0.3'] },
        { number: 4, tenant: 'globex', identity: 400, addresses: ['10.9.0.4'] },
      ],
      services: [
        [protocol.tcp, 80, 80, 1],
        [protocol.udp, 53, 53, 1],
      ],
      verdicts: [
        ['egress', 100, 200, 1, 'allow', 'acme-out'],
        ['ingress', 200, 100, 1, 'allow', 'acme-in'],
        ['egress', 300, 400, 1, 'allow', 'globex-out'],
        ['ingress', 400, 300, 1, 'allow', 'globex-in'],
      ],
    })
    await crowded.driver.reconcile(
      services,
      made.map((endpoint) => endpoint.attachment('direct')),
    )
    const there: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
    const back: Ends = { from: 2, to: 1, source: '10.9.0.2', destination: '10.9.0.1' }
    for (let i = 0; i < 400; i += 1) {
      tenants.acme[0].send(udp(there, 30_000 + i, 53))
      tenants.acme[1].send(udp(back, 53, 30_000 + i))
    }
    // what was sent is through the program when the queues are empty: the order between two senders matters from here on
    await settle()
    const client: Ends = { from: 3, to: 4, source: '10.9.0.3', destination: '10.9.0.4' }
    const server: Ends = { from: 4, to: 3, source: '10.9.0.4', destination: '10.9.0.3' }
    tenants.globex[0].send(tcp(client, 4000, 80, { seq: 1000 }))
    await settle()
    tenants.globex[1].send(tcp(server, 80, 4000, { flags: 'SA', seq: 5000, ack: 1001 }))
    await settle()
    tenants.globex[0].send(tcp(client, 4000, 80, { flags: 'A', seq: 1001, ack: 5001 }))
    await settle()
    // half-open ones, many times the table that evicts
    for (let i = 0; i < 30_000; i += 1) tenants.acme[0].send(udp(there, 31_000 + i, 53))
    await settle()
    const late = tcp(client, 4000, 80, { flags: 'PA', seq: 1001, ack: 5001, text: 'x' })
    tenants.globex[1].receiveAll()
    tenants.globex[0].send(late)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(tenants.globex[1].receiveAll().some((one) => one.equals(late))).toBe(true)
  } finally {
    for (const socket of opened) socket.close()
    await crowded.close()
  }
})
