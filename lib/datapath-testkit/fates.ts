/** Every fate of docs/packet-fates.md, by frames sent as they are into real taps, in each way of delivery that the driver has. */
import type { DropReason } from '@hyperward/model'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { BenchOptions, DatapathBench, Delivery, LabEndpoint } from './datapath-bench.ts'
import {
  arp,
  echo,
  ethernet,
  icmp,
  ip,
  neighbour,
  protocol,
  quoted,
  sctp,
  swap,
  tcp,
  udp,
  type Ends,
} from './frames.ts'
import { endpointId, makePlan } from './make-plan.ts'
import { openRawSocket, type RawSocket } from './raw-socket.ts'

const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }
/** The EUI-64 link-local address of endpoint 1, 02:00:00:00:00:01. */
const linkLocal1 = 'fe80::ff:fe00:1'
const broadcast = 'ff:ff:ff:ff:ff:ff'

const plan = makePlan({
  endpoints: [
    { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
    { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
    { number: 9, tenant: 'acme', identity: 300, addresses: ['10.9.0.9', 'fd00:9::9'], elsewhere: true },
  ],
  services: [
    [protocol.tcp, 80, 80, 1],
    [protocol.udp, 53, 53, 1],
    [protocol.icmp, 8, 8, 1],
    [protocol.icmpv6, 128, 128, 1],
    [protocol.sctp, 80, 80, 1],
    [protocol.gre, 0, 0, 1],
    [protocol.udp, 67, 68, 2],
    [protocol.udp, 547, 547, 2],
  ],
  verdicts: [
    ['egress', 100, 200, 1, 'allow', 'a-to-b'],
    ['ingress', 200, 100, 1, 'allow', 'b-from-a'],
    ['ingress', 200, 300, 1, 'allow', 'b-from-uplink'],
    // serving addresses stays forbidden whatever policy says
    ['egress', 100, 0, 2, 'allow', 'dhcp'],
  ],
})

export interface FateOptions extends BenchOptions {
  readonly noPlanTitle: string
  /** What the driver does otherwise, by the row's name: the reason it counts. docs/packet-fates.md tells each. */
  readonly otherFates?: ReadonlyMap<string, DropReason | ''>
}

export function testFates(options: FateOptions): void {
  const { deliveries } = options
  let lab: DatapathBench
  let a: LabEndpoint
  let b: LabEndpoint
  let sockets: { readonly a: RawSocket; readonly b: RawSocket; readonly uplink: RawSocket }

  beforeAll(async () => {
    lab = await options.open()
    a = await lab.addEndpoint(1, [])
    b = await lab.addEndpoint(2, [])
    const uplink = await lab.addEndpoint(9, [])
    sockets = {
      a: openRawSocket(a.namespace.netns, 'eth0'),
      b: openRawSocket(b.namespace.netns, 'eth0'),
      uplink: openRawSocket(uplink.namespace.netns, 'eth0'),
    }
  })
  afterAll(async () => {
    for (const socket of Object.values(sockets)) socket.close()
    await lab.close()
  })

  async function deliver(delivery: Delivery): Promise<void> {
    const report = await lab.driver.reconcile(plan, [a.attachment(delivery), b.attachment(delivery)])
    expect(report.endpoints.map((endpoint) => endpoint.state)).toEqual(['enforced', 'enforced'])
  }

  async function dropsOf(number: number): Promise<Map<DropReason, number>> {
    const drops = await lab.driver.readDrops()
    if (!drops.known) throw new Error(drops.reason)
    return new Map(
      drops.value.filter((drop) => drop.endpoint === endpointId(number)).map((drop) => [drop.reason, drop.packets]),
    )
  }

  /** Sends and tells `pass` when exactly that frame arrived, else the reasons whose counters moved. */
  async function fate(from: RawSocket, to: RawSocket, judge: number, frame: Buffer): Promise<string> {
    to.receiveAll()
    const before = await dropsOf(judge)
    from.send(frame)
    let arrived = false
    for (let turn = 0; turn < 5 && !arrived; turn += 1) {
      arrived = to.receiveAll().some((one) => one.equals(frame))
      if (!arrived) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const moved = [...(await dropsOf(judge))]
      .filter(([reason, packets]) => packets > (before.get(reason) ?? 0))
      .map(([reason]) => reason)
    return arrived ? 'pass' : moved.join(',')
  }

  type Row = readonly [name: string, fate: 'pass' | DropReason, frame: Buffer]

  const both = (name: string, wanted: Row[1], frame: (ends: Ends) => Buffer): Row[] => [
    [`${name}, v4`, wanted, frame(ends4)],
    [`${name}, v6`, wanted, frame(ends6)],
  ]
  const from = (ends: Ends, over: Partial<Ends>): Ends => ({ ...ends, ...over })
  let port = 20_000
  const fresh = (): number => (port += 1)

  const fromVm = (): Row[] => [
    ...both('an allowed TCP port', 'pass', (ends) => tcp(ends, fresh(), 80)),
    ...both('another TCP port', 'policy', (ends) => tcp(ends, fresh(), 81)),
    ...both('an allowed UDP port', 'pass', (ends) => udp(ends, fresh(), 53)),
    ...both('another UDP port', 'policy', (ends) => udp(ends, fresh(), 54)),
    ...both('an allowed SCTP port', 'pass', (ends) => sctp(ends, fresh(), 80)),
    ...both('another SCTP port', 'policy', (ends) => sctp(ends, fresh(), 81)),
    ...both('SCTP that is no INIT', 'no-connection', (ends) => sctp(ends, fresh(), 80, 0)),
    ...both('GRE', 'pass', (ends) => ip(ends, protocol.gre, Buffer.alloc(12))),
    ...both('a protocol that no rule names', 'policy', (ends) => ip(ends, 50, Buffer.alloc(12))),
    ...both('an echo request', 'pass', (ends) => echo(ends, 'request', fresh())),
    ...both('an echo reply nobody asked for', 'no-connection', (ends) => echo(ends, 'reply', fresh())),
    ['a timestamp request', 'policy', icmp(ends4, 13, 0, Buffer.alloc(16))],
    ...both('a stray ACK', 'no-connection', (ends) => tcp(ends, fresh(), 80, { flags: 'A' })),
    ...both('a stray SYN and ACK', 'no-connection', (ends) => tcp(ends, fresh(), 80, { flags: 'SA' })),
    ...both('a stray RST', 'no-connection', (ends) => tcp(ends, fresh(), 80, { flags: 'R' })),
    ...both('a stray FIN', 'no-connection', (ends) => tcp(ends, fresh(), 80, { flags: 'FA' })),
    ...both('TCP without flags', 'malformed', (ends) => tcp(ends, fresh(), 80, { flags: '' })),
    ...both('TCP with SYN and FIN', 'malformed', (ends) => tcp(ends, fresh(), 80, { flags: 'SF' })),
    ...both('TCP with SYN and RST', 'malformed', (ends) => tcp(ends, fresh(), 80, { flags: 'SR' })),
    ...both('TCP cut off', 'malformed', (ends) => ip(ends, protocol.tcp, Buffer.alloc(12))),
    ...both('UDP cut off', 'malformed', (ends) => ip(ends, protocol.udp, Buffer.alloc(4))),
    ...both('a length beyond the frame', 'malformed', (ends) => udp(ends, fresh(), 53, 'x', { lengthOff: 9 })),
    ...both('somebody else’s MAC', 'source-mac', (ends) => tcp(from(ends, { from: 7 }), fresh(), 80)),
    ['somebody else’s address, v4', 'source-address', tcp(from(ends4, { source: '10.9.0.77' }), fresh(), 80)],
    ['somebody else’s address, v6', 'source-address', tcp(from(ends6, { source: 'fd00:9::77' }), fresh(), 80)],
    ['the peer’s address, v4', 'source-address', udp(from(ends4, { source: '10.9.0.2' }), fresh(), 53)],
    ['somebody else’s link-local address', 'source-address', udp(from(ends6, { source: 'fe80::1' }), fresh(), 53)],
    ['no address, v4', 'source-address', udp(from(ends4, { source: '0.0.0.0' }), fresh(), 53)],
    ['no address, v6', 'source-address', udp(from(ends6, { source: '::' }), fresh(), 53)],
    [
      'the own link-local address, which no rule names',
      'policy',
      udp(from(ends6, { source: linkLocal1 }), fresh(), 53),
    ],
    ['an IPv4 address in IPv6', 'malformed', udp(from(ends6, { source: '::2' }), fresh(), 53).fill(0xff, 32, 34)],
    ['a first fragment', 'fragment', udp(ends4, fresh(), 53, 'x', { fragment: 0x2000 })],
    ['a later fragment', 'fragment', udp(ends4, fresh(), 53, 'x', { fragment: 0x0010 })],
    [
      'a fragment header',
      'fragment',
      ip(ends6, protocol.udp, Buffer.alloc(8), { nextHeader: 44, extra: Buffer.from([17, 0, 0, 1, 0, 0, 0, 1]) }),
    ],
    ['IP options', 'ip-options', udp(ends4, fresh(), 53, 'x', { extra: Buffer.from([148, 4, 0, 0]) })],
    ...[0, 43, 51, 60, 135].map((next): Row => [
      `extension header ${next}`,
      'extension-header',
      ip(ends6, protocol.udp, Buffer.alloc(16), { nextHeader: next, extra: Buffer.from([17, 0, 1, 4, 0, 0, 0, 0]) }),
    ]),
    [
      'a VLAN tag',
      'vlan-tag',
      ethernet(2, 1, 0x8100, Buffer.concat([Buffer.from([0, 5, 8, 0]), tcp(ends4, 1, 80).subarray(14)])),
    ],
    ['a provider’s VLAN tag', 'vlan-tag', ethernet(2, 1, 0x88a8, Buffer.alloc(50))],
    ['802.3 (spanning tree)', 'non-ip', ethernet('01:80:c2:00:00:00', 1, 38, Buffer.alloc(46))],
    ['LLDP', 'non-ip', ethernet('01:80:c2:00:00:0e', 1, 0x88cc, Buffer.alloc(46))],
    ['MPLS', 'non-ip', ethernet(2, 1, 0x8847, Buffer.alloc(46))],
    ['a foreign IP version', 'malformed', ethernet(2, 1, 0x0800, Buffer.alloc(46))],
    ['ICMPv6 in IPv4', 'malformed', ip(ends4, protocol.icmpv6, Buffer.alloc(24))],
    ['an ARP request', 'pass', arp(broadcast, 1, 1, [1, '10.9.0.1'], '10.9.0.2')],
    ['an ARP probe', 'pass', arp(broadcast, 1, 1, [1, '0.0.0.0'], '10.9.0.1')],
    ['an ARP announcement', 'pass', arp(broadcast, 1, 1, [1, '10.9.0.1'], '10.9.0.1')],
    ['an ARP reply', 'pass', arp(2, 1, 2, [1, '10.9.0.1'], '10.9.0.2')],
    ['an ARP reply for another address', 'arp-source', arp(2, 1, 2, [1, '10.9.0.77'], '10.9.0.2')],
    ['an ARP reply for another MAC', 'arp-source', arp(2, 1, 2, [7, '10.9.0.1'], '10.9.0.2')],
    ['a gratuitous lie', 'arp-source', arp(broadcast, 1, 1, [1, '10.9.0.2'], '10.9.0.2')],
    ['an ARP reply without address', 'arp-source', arp(2, 1, 2, [1, '0.0.0.0'], '10.9.0.2')],
    ['ARP cut off', 'malformed', ethernet(broadcast, 1, 0x0806, Buffer.alloc(20))],
    ['a neighbour solicitation', 'pass', neighbour(ends6, 135, 'fd00:9::2', [1, 1])],
    [
      'one from the link-local address',
      'pass',
      neighbour(from(ends6, { source: linkLocal1 }), 135, 'fd00:9::2', [1, 1]),
    ],
    ['duplicate address detection', 'pass', neighbour(from(ends6, { source: '::' }), 135, 'fd00:9::1', null)],
    [
      'duplicate address detection for another’s',
      'nd-source',
      neighbour(from(ends6, { source: '::' }), 135, 'fd00:9::2', null),
    ],
    [
      'a solicitation from another address',
      'nd-source',
      neighbour(from(ends6, { source: 'fd00:9::77' }), 135, 'fd00:9::2', [1, 1]),
    ],
    ['a solicitation with another MAC', 'nd-source', neighbour(ends6, 135, 'fd00:9::2', [1, 7])],
    ['a solicitation from afar', 'nd-source', neighbour(ends6, 135, 'fd00:9::2', [1, 1], { hopLimit: 64 })],
    ['a neighbour advertisement', 'pass', neighbour(ends6, 136, 'fd00:9::1', [2, 1])],
    ['an advertisement of another’s address', 'nd-source', neighbour(ends6, 136, 'fd00:9::2', [2, 1])],
    ['an advertisement with another MAC', 'nd-source', neighbour(ends6, 136, 'fd00:9::1', [2, 7])],
    ['a router solicitation', 'pass', neighbour(from(ends6, { source: linkLocal1 }), 133, null, [1, 1])],
    [
      'a router advertisement',
      'router-advert',
      icmp(from(ends6, { source: linkLocal1 }), 134, 0, Buffer.alloc(12), { hopLimit: 255 }),
    ],
    ['an ICMPv6 redirect', 'router-advert', icmp(ends6, 137, 0, Buffer.alloc(36), { hopLimit: 255 })],
    ['an ICMP redirect', 'router-advert', icmp(ends4, 5, 1, Buffer.alloc(32))],
    [
      'a multicast listener report',
      'pass',
      ip(
        from(ends6, { source: linkLocal1, to: '33:33:00:00:00:16', destination: 'ff02::16' }),
        protocol.icmpv6,
        Buffer.from([143, 0, 0, 0, 0, 0, 0, 0]),
        { hopLimit: 1, nextHeader: 0, extra: Buffer.from([58, 0, 5, 2, 0, 0, 1, 0]) },
      ),
    ],
    [
      'a multicast listener query',
      'router-advert',
      ip(
        from(ends6, { source: linkLocal1, to: '33:33:00:00:00:01', destination: 'ff02::1' }),
        protocol.icmpv6,
        Buffer.alloc(24, 130),
        { hopLimit: 1, nextHeader: 0, extra: Buffer.from([58, 0, 5, 2, 0, 0, 1, 0]) },
      ),
    ],
    ['a DHCP server’s answer', 'dhcp-server', udp(ends4, 67, 68)],
    ['a DHCPv6 server’s answer', 'dhcp-server', udp(ends6, 547, 546)],
    ['an unreachable about nothing', 'icmp-error', icmp(ends4, 3, 3, quoted(udp(swap(ends4), 9, 9)))],
    ['a packet too big about nothing', 'icmp-error', icmp(ends6, 2, 0, quoted(udp(swap(ends6), 9, 9)))],
    ['a source quench', 'icmp-error', icmp(ends4, 4, 0, quoted(udp(swap(ends4), 9, 9)))],
  ]

  for (const delivery of deliveries) {
    test(`what a VM sends has the documented fate (${delivery})`, async () => {
      await deliver(delivery)
      const rows = fromVm()
      const told: (readonly [string, string])[] = []
      for (const [name, , frame] of rows) told.push([name, await fate(sockets.a, sockets.b, 1, frame)])
      expect(told).toEqual(rows.map(([name, wanted]) => [name, options.otherFates?.get(name) ?? wanted]))
    })
  }

  const up = (ends: Ends): Ends => ({
    from: 9,
    to: 2,
    source: ends === ends4 ? '10.9.0.9' : 'fd00:9::9',
    destination: ends.destination,
  })

  test('what comes to a VM from the network has the documented fate', async () => {
    await deliver('bridge')
    const rows: Row[] = [
      ...both('an allowed port', 'pass', (ends) => tcp(up(ends), fresh(), 80)),
      ...both('another port', 'policy', (ends) => tcp(up(ends), fresh(), 81)),
      ...both('a source that no rule names', 'policy', (ends) =>
        tcp(from(up(ends), { source: ends === ends4 ? '192.0.2.1' : '2001:db8::1' }), fresh(), 80),
      ),
      ...both('a stray ACK', 'no-connection', (ends) => tcp(up(ends), fresh(), 80, { flags: 'A' })),
      ['a frame for another MAC', 'not-for-endpoint', tcp(from(up(ends4), { to: '02:00:00:00:00:55' }), fresh(), 80)],
      ['a fragment', 'fragment', udp(up(ends4), fresh(), 53, 'x', { fragment: 0x2000 })],
      ['IP options', 'ip-options', udp(up(ends4), fresh(), 53, 'x', { extra: Buffer.from([148, 4, 0, 0]) })],
      [
        'a VLAN tag',
        'vlan-tag',
        ethernet(2, 9, 0x8100, Buffer.concat([Buffer.from([0, 5, 8, 0]), tcp(ends4, 1, 80).subarray(14)])),
      ],
      [
        'a router advertisement',
        'pass',
        icmp(
          { from: 9, to: '33:33:00:00:00:01', source: 'fe80::9', destination: 'ff02::1' },
          134,
          0,
          Buffer.alloc(12),
          {
            hopLimit: 255,
          },
        ),
      ],
      [
        'a router advertisement from afar',
        'nd-source',
        icmp({ from: 9, to: '33:33:00:00:00:01', source: 'fe80::9', destination: 'ff02::1' }, 134, 0, Buffer.alloc(12)),
      ],
      ['an ICMPv6 redirect', 'router-advert', icmp(up(ends6), 137, 0, Buffer.alloc(36), { hopLimit: 255 })],
      ['a DHCP answer nobody asked for', 'policy', udp(up(ends4), 67, 68)],
      ['an unreachable about nothing', 'icmp-error', icmp(up(ends4), 3, 3, quoted(udp(swap(up(ends4)), 9, 9)))],
      ['an ARP request', 'pass', arp(broadcast, 9, 1, [9, '10.9.0.9'], '10.9.0.2')],
    ]
    const told: (readonly [string, string])[] = []
    for (const [name, , frame] of rows) told.push([name, await fate(sockets.uplink, sockets.b, 2, frame)])
    expect(told).toEqual(rows.map(([name, wanted]) => [name, options.otherFates?.get(name) ?? wanted]))
  })

  test('a DHCP answer passes after the VM asked, and only then', async () => {
    await deliver('bridge')
    const ask = udp({ from: 2, to: broadcast, source: '0.0.0.0', destination: '255.255.255.255' }, 68, 67)
    expect(await fate(sockets.b, sockets.uplink, 2, ask)).toBe('pass')
    expect(await fate(sockets.uplink, sockets.b, 2, udp(up(ends4), 67, 68))).toBe('pass')
    // asking is for everybody on the link; a server's own address needs a rule
    expect(await fate(sockets.b, sockets.uplink, 2, udp(swap(up(ends4)), 68, 67))).toBe('policy')
  })

  test('errors about an admitted flow reach their sender, forged ones do not', async () => {
    for (const delivery of deliveries) {
      await deliver(delivery)
      for (const ends of [ends4, ends6]) {
        const flow = udp(ends, fresh(), 53)
        expect(await fate(sockets.a, sockets.b, 1, flow)).toBe('pass')
        const [type, code] = ends === ends4 ? [3, 3] : [1, 4]
        expect(await fate(sockets.b, sockets.a, 2, icmp(swap(ends), type, code, quoted(flow)))).toBe('pass')
        // a third party's error about another flow
        const other = udp(ends, fresh(), 53)
        expect(await fate(sockets.b, sockets.a, 2, icmp(swap(ends), type, code, quoted(other)))).toBe('icmp-error')
      }
    }
  })

  test(options.noPlanTitle, async () => {
    await lab.driver.reconcile(null, [a.attachment(), b.attachment()])
    expect(await fate(sockets.a, sockets.b, 1, tcp(ends4, fresh(), 80))).toBe('no-plan')
    expect(await fate(sockets.a, sockets.b, 1, arp(broadcast, 1, 1, [1, '10.9.0.1'], '10.9.0.2'))).toBe('no-plan')
    expect(await fate(sockets.uplink, sockets.b, 2, tcp(up(ends4), fresh(), 80))).toBe('no-plan')
  })
}
