/** Ways around policy that a guest can try with frames of its own, each shown to lead nowhere; delivered directly and over the bridge. */
import {
  makePlan,
  openRawSocket,
  protocol,
  tcp,
  testEvasion,
  udp,
  type Ends,
  type LabEndpoint,
  type RawSocket,
} from '@hyperward/datapath-testkit'
import { describe, expect, test } from 'vitest'

import { createDatapathLab } from './testing/datapath-lab.ts'

describe('as every driver', () => {
  testEvasion({ open: () => createDatapathLab('hweevade'), deliveries: ['direct', 'bridge'] })
})

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
