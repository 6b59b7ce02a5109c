/** Ways around policy that a guest can try with frames of its own, each shown to lead nowhere, in each way of delivery that the driver has. */
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { BenchOptions, DatapathBench, LabEndpoint } from './datapath-bench.ts'
import { echo, icmp, ip, protocol, tcp, udp, type Ends } from './frames.ts'
import { makePlan } from './make-plan.ts'
import { openRawSocket, type RawSocket } from './raw-socket.ts'

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

export function testEvasion(options: BenchOptions): void {
  let lab: DatapathBench
  let endpoints: readonly LabEndpoint[] = []
  let sockets: readonly RawSocket[] = []
  let port = 21_000
  const fresh = (): number => (port += 1)

  beforeAll(async () => {
    lab = await options.open()
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

  for (const delivery of options.deliveries) {
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
}
