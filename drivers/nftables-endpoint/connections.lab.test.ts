/** What the driver owes beyond single frames: whole conversations between namespaces, revocation, atomic changes, events, counters, and other people's tables. */
import {
  endpointId,
  makePlan,
  openRawSocket,
  protocol,
  ruleRef,
  swap,
  tcp,
  udp,
  type Ends,
  type LabEndpoint,
  type PlanVerdict,
  type RawSocket,
} from '@hyperward/datapath-testkit'
import type { HostPlan } from '@hyperward/model'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { createNftLab, type NftLab } from './testing/nft-lab.ts'

const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }
const families = [ends4, ends6] as const

let lab: NftLab
let a: LabEndpoint
let b: LabEndpoint
let c: LabEndpoint
let sockets: { readonly a: RawSocket; readonly b: RawSocket }
let port = 20_000
const fresh = (): number => (port += 1)

beforeAll(async () => {
  lab = await createNftLab('hwnconn')
  a = await lab.addEndpoint(1, [])
  b = await lab.addEndpoint(2, [])
  c = await lab.addEndpoint(3, ['10.9.0.3/16', 'fd00:9::3/64'])
  sockets = { a: openRawSocket(a.namespace.netns, 'eth0'), b: openRawSocket(b.namespace.netns, 'eth0') }
})
afterAll(async () => {
  for (const socket of Object.values(sockets)) socket.close()
  await lab.close()
})
beforeEach(() => {
  lab.events()
})

function planOf(verdicts: readonly PlanVerdict[], tenants: readonly [string, string] = ['acme', 'acme']): HostPlan {
  return makePlan({
    endpoints: [
      { number: 1, tenant: tenants[0], identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
      { number: 2, tenant: tenants[1], identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
      { number: 3, tenant: 'acme', identity: 300, addresses: ['10.9.0.3', 'fd00:9::3'] },
    ],
    services: [
      [protocol.icmp, 8, 8, 3],
      [protocol.tcp, 80, 80, 1],
      [protocol.udp, 53, 53, 2],
      [protocol.icmpv6, 128, 128, 3],
    ],
    verdicts,
  })
}

const tcpOut: PlanVerdict = ['egress', 100, 200, 1, 'allow', 'tcp-out']
const tcpIn: PlanVerdict = ['ingress', 200, 100, 1, 'allow', 'tcp-in']
const udpOut: PlanVerdict = ['egress', 100, 200, 2, 'allow', 'udp-out']
const udpIn: PlanVerdict = ['ingress', 200, 100, 2, 'allow', 'udp-in']

async function enforce(plan: HostPlan): Promise<void> {
  const report = await lab.driver.reconcile(plan, [a.attachment(), b.attachment(), c.attachment()])
  expect(report.reason).toBe(null)
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

/** SYN, SYN and ACK, ACK. */
async function connect(ends: Ends, client: number): Promise<void> {
  expect(await toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
  expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
  expect(await toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
}
const onward = (ends: Ends, client: number): Buffer => tcp(ends, client, 80, { flags: 'PA', seq: 1001, ack: 5001 })
const back = (ends: Ends, client: number): Buffer => tcp(swap(ends), 80, client, { flags: 'PA', seq: 5001, ack: 1001 })

test('namespaces speak as the plan says, and not with a borrowed address', async () => {
  const one = await lab.addEndpoint(11, ['10.9.0.11/16', 'fd00:9::11/64'])
  const two = await lab.addEndpoint(12, ['10.9.0.12/16', 'fd00:9::12/64'])
  const plan = makePlan({
    endpoints: [
      { number: 11, tenant: 'acme', identity: 110, addresses: ['10.9.0.11', 'fd00:9::11'] },
      { number: 12, tenant: 'acme', identity: 120, addresses: ['10.9.0.12', 'fd00:9::12'] },
    ],
    services: [
      [protocol.icmp, 8, 8, 3],
      [protocol.icmpv6, 128, 128, 3],
    ],
    verdicts: [
      ['egress', 110, 120, 3, 'allow', 'ping-out'],
      ['ingress', 120, 110, 3, 'allow', 'ping-in'],
    ],
  })
  const report = await lab.driver.reconcile(plan, [one.attachment(), two.attachment()])
  expect(report.endpoints.map(({ state }) => state)).toEqual(['enforced', 'enforced'])
  for (const [from, to, wanted] of [
    [one, '10.9.0.12', true],
    [one, 'fd00:9::12', true],
    [two, '10.9.0.11', false],
    [two, 'fd00:9::11', false],
  ] as const) {
    expect([to, await from.namespace.ping(to, wanted ? 2000 : 300)]).toEqual([to, wanted])
  }
  await lab.lab.exec(one.namespace.netns, 'ip', ['addr', 'replace', '10.9.0.99/16', 'dev', 'eth0'])
  expect(await lab.lab.exec(one.namespace.netns, 'ping', ['-c1', '-W1', '-I', '10.9.0.99', '10.9.0.12'])).toMatchObject(
    {
      code: 1,
    },
  )
  await one.namespace.remove()
  await two.namespace.remove()
})

test('a connection that the plan no longer allows is cut at its next packet, at either side and in either way; the others go on', async () => {
  for (const ends of families) {
    for (const left of [[tcpIn], [tcpOut]] as const) {
      for (const first of ['onward', 'back'] as const) {
        await enforce(planOf([tcpOut, tcpIn, udpOut, udpIn]))
        const client = fresh()
        const asker = fresh()
        await connect(ends, client)
        expect(await toB(udp(ends, asker, 53))).toBe(true)
        expect(await toA(udp(swap(ends), 53, asker))).toBe(true)
        await enforce(planOf([...left, udpOut, udpIn]))
        const [one, two] = first === 'onward' ? [onward, back] : [back, onward]
        const cut = [await (first === 'onward' ? toB : toA)(one(ends, client))]
        // when the sender's own side stands, the other one refuses
        cut.push(await (first === 'onward' ? toA : toB)(two(ends, client)))
        expect([left[0][5], first, cut]).toEqual([left[0][5], first, [false, false]])
        expect(await toA(udp(swap(ends), 53, asker))).toBe(true)
        expect(await toB(udp(ends, asker, 53))).toBe(true)
        // it does not come back without a beginning
        await enforce(planOf([tcpOut, tcpIn, udpOut, udpIn]))
        expect(await toB(onward(ends, client))).toBe(false)
      }
    }
  }
})

test('a connection outlives any number of plans that allow it, and a restart of the driver', async () => {
  await enforce(planOf([tcpOut, tcpIn]))
  const clients = families.map((ends) => [ends, fresh()] as const)
  for (const [ends, client] of clients) await connect(ends, client)
  for (const extra of [[udpOut], [udpOut, udpIn], []]) {
    await enforce(planOf([tcpOut, tcpIn, ...extra]))
    for (const [ends, client] of clients) {
      expect(await toB(onward(ends, client))).toBe(true)
      expect(await toA(back(ends, client))).toBe(true)
    }
  }
  lab.restart()
  for (const [ends, client] of clients) expect(await toB(onward(ends, client))).toBe(true)
  await enforce(planOf([tcpOut, tcpIn]))
  for (const [ends, client] of clients) expect(await toA(back(ends, client))).toBe(true)
})

test('tenants speak over their border where both allow it', async () => {
  await enforce(planOf([tcpOut, tcpIn], ['acme', 'globex']))
  for (const ends of families) {
    const client = fresh()
    await connect(ends, client)
    expect(await toA(back(ends, client))).toBe(true)
  }
})

test('a flood loses no packet while plans change', async () => {
  await enforce(planOf([udpOut, udpIn]))
  const frame = udp(ends4, fresh(), 53)
  // others' namespaces speak too
  const receive = (): number => sockets.b.receiveAll().filter((one) => one.equals(frame)).length
  receive()
  let arrived = 0
  let sent = 0
  const plans = [planOf([udpOut, udpIn, tcpOut]), planOf([udpOut, udpIn])]
  for (const plan of [...plans, ...plans, ...plans]) {
    const done = enforce(plan)
    const state = { busy: true }
    void done.finally(() => (state.busy = false))
    while (state.busy) {
      for (let i = 0; i < 20; i += 1) sockets.a.send(frame)
      sent += 20
      arrived += receive()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await done
  }
  await new Promise((resolve) => setTimeout(resolve, 20))
  arrived += receive()
  expect(sent).toBeGreaterThan(100)
  expect(arrived).toBe(sent)
})

test('what passes, is refused and would have been is told, and counted by rule', async () => {
  await enforce(planOf([tcpOut, tcpIn, ['egress', 100, 200, 2, 'drop', 'no-dns', true, ['dns', 'allow']]]))
  lab.events()
  const client = fresh()
  await connect(ends4, client)
  const tuple = { source: '10.9.0.1', destination: '10.9.0.2', protocol: 6, sourcePort: client, destinationPort: 80 }
  expect(lab.events()).toMatchObject([
    { kind: 'flow-start', rule: ruleRef('tcp-out'), direction: 'egress', endpoint: endpointId(1), tuple },
    { kind: 'flow-start', rule: ruleRef('tcp-in'), direction: 'ingress', endpoint: endpointId(2), tuple },
  ])
  expect(await toB(udp(ends6, client, 53))).toBe(false)
  expect(lab.events()).toMatchObject([
    { kind: 'monitor', rule: ruleRef('dns'), action: 'allow', endpoint: endpointId(1) },
    {
      kind: 'drop',
      reason: 'policy',
      rule: ruleRef('no-dns'),
      endpoint: endpointId(1),
      tuple: { destinationPort: 53 },
    },
  ])
  expect(await toB(tcp({ ...ends4, source: '10.9.0.77' }, client, 80))).toBe(false)
  expect(lab.events()).toMatchObject([
    { kind: 'drop', reason: 'source-address', rule: null, endpoint: endpointId(1), sourceMac: '02:00:00:00:00:01' },
  ])
  expect(await toB(tcp(ends4, client, 99))).toBe(false)
  expect(lab.events()).toMatchObject([{ kind: 'drop', reason: 'policy', rule: 'builtin:/default/drop' }])
  await lab.driver.refreshCounters()
  const read = lab.driver.readCounters()
  const hits = new Map((read.known ? read.value : []).map((one) => [one.rule, one.hits]))
  for (const name of ['tcp-out', 'tcp-in', 'no-dns', 'dns']) expect([name, hits.get(ruleRef(name))]).toEqual([name, 1])
})

test('a log rate bounds what is told of a rule; what it counts is not bounded', async () => {
  const rows: readonly PlanVerdict[] = [
    ['egress', 100, 200, 1, 'allow', 'told', 3],
    ['egress', 100, 200, 2, 'drop', 'untold', 2],
    ['ingress', 200, 100, 1, 'allow-stateless', 'in', true],
  ]
  await enforce(planOf(rows))
  lab.events()
  for (let i = 0; i < 8; i += 1) {
    sockets.a.send(tcp(ends4, fresh(), 80))
    sockets.a.send(udp(ends4, fresh(), 53))
  }
  const told = lab.events().map(({ kind, direction }) => `${kind} ${direction}`)
  const count = (what: string): number => told.filter((one) => one === what).length
  expect([count('flow-start egress'), count('flow-start ingress'), count('drop egress')]).toEqual([3, 8, 2])
  const hits = new Map((await lab.counters()).map((one) => [one.rule, one.hits]))
  expect([hits.get(ruleRef('told')), hits.get(ruleRef('untold'))]).toEqual([8, 8])
  // another rate is another limit
  await enforce(planOf([['egress', 100, 200, 1, 'allow', 'told', 5], ...rows.slice(1)]))
  lab.events()
  for (let i = 0; i < 8; i += 1) sockets.a.send(tcp(ends4, fresh(), 80))
  expect(lab.events().filter(({ direction }) => direction === 'egress').length).toBe(5)
})

test('nothing passes while the bridge keeps its packets from inet, and the driver finds and mends it', async () => {
  await enforce(planOf([tcpOut, tcpIn, ['egress', 100, 1, 1, 'allow', 'to-world']]))
  const uplink = await lab.addEndpoint(30, [])
  const wire = openRawSocket(uplink.namespace.netns, 'eth0')
  const outward = (ends: Ends): Buffer =>
    tcp({ ...ends, to: 30, destination: ends === ends4 ? '198.51.100.1' : '2001:db8::1' }, fresh(), 80)
  for (const ends of families) expect(await passes(sockets.a, wire, outward(ends))).toBe(true)
  const bridge = (on: string): Promise<unknown> =>
    lab.lab.exec(lab.host, 'ip', [
      'link',
      'set',
      'br0',
      'type',
      'bridge',
      'nf_call_iptables',
      on,
      'nf_call_ip6tables',
      on,
    ])
  const calls = (on: string): Promise<unknown> =>
    lab.lab.exec(lab.host, 'sysctl', [
      '-qw',
      `net.bridge.bridge-nf-call-iptables=${on}`,
      `net.bridge.bridge-nf-call-ip6tables=${on}`,
    ])
  await calls('0')
  await bridge('0')
  for (const ends of families) {
    expect(await toB(tcp(ends, fresh(), 80))).toBe(false)
    expect(await passes(sockets.a, wire, outward(ends))).toBe(false)
  }
  wire.close()
  await uplink.namespace.remove()
  expect(await lab.driver.verify()).toMatchObject({
    value: { drift: ['br0 no longer hands its packets to conntrack'] },
  })
  await enforce(planOf([tcpOut, tcpIn]))
  for (const ends of families) expect(await toB(tcp(ends, fresh(), 80))).toBe(true)
})

test('what is loaded is found to be the plan, and what somebody changed is told at its endpoint', async () => {
  const full = makePlan({
    endpoints: [
      { number: 1, tenant: 'acme', identity: 65_536, addresses: ['10.9.0.1', 'fd00:9::1'] },
      { number: 2, tenant: 'acme', identity: 65_637, addresses: ['10.9.0.2', 'fd00:9:0:0:1::2'] },
    ],
    networks: [
      ['10.0.0.0/8', 5],
      ['10.9.0.0/16', 70_000],
      ['0.0.0.0/0', 3],
      ['::/0', 7],
      ['fd00:9::/32', 8],
      ['fd00:9::7/128', 9],
    ],
    services: [
      [protocol.icmp, 8, 8, 3],
      [protocol.tcp, 0, 79, 2],
      [protocol.tcp, 80, 80, 1],
      [protocol.tcp, 81, 65_535, 2],
      [protocol.icmpv6, 0, 255, 3],
      [protocol.gre, 0, 0, 4],
    ],
    verdicts: [
      ['egress', 65_536, 65_637, 1, 'allow', 'x', true, ['m', 'drop']],
      ['egress', 65_536, 0, 0, 'reject', 'y'],
      ['ingress', 65_637, 65_536, 4, 'inspect', 'z'],
    ],
  })
  const both = [a.attachment(), b.attachment()]
  const reconciled = await lab.driver.reconcile(full, both)
  expect(reconciled.reason).toBe(null)
  const inspected = await lab.driver.inspect(full, both)
  expect(inspected).toMatchObject({
    value: {
      endpoints: [
        { endpoint: endpointId(1), rows: 2, findings: [] },
        { endpoint: endpointId(2), rows: 1, findings: [] },
      ],
    },
  })
  const sum = (inspected.known ? inspected.value.tables : []).map((one) => [
    one.table,
    one.missing + one.surplus + one.different,
  ])
  expect(new Map(sum as [string, number][])).toEqual(
    new Map([
      ['addresses', 0],
      ['networks', 0],
      ['services', 0],
      ['verdicts', 0],
    ]),
  )
  expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
  await lab.lab.exec(lab.host, 'nft', ['flush', 'map', 'inet', 'hyperward_endpoint', 'egress_1'])
  await lab.lab.exec(lab.host, 'nft', [
    'delete',
    'element',
    'inet',
    'hyperward_endpoint',
    'local6',
    '{ fd00:9:0:0:1::2 }',
  ])
  expect(await lab.driver.inspect(full, both)).toMatchObject({
    value: {
      endpoints: [
        { rows: 1, findings: ['1 of its verdicts are not those of the plan'] },
        { rows: 1, findings: ['its address fd00:9::1:0:0:2 is not held to be its own'] },
      ],
    },
  })
  expect(await lab.driver.verify()).toMatchObject({
    value: { drift: expect.arrayContaining(['map inet egress_1 differs']) },
  })
  await lab.driver.reconcile(full, both)
  expect(await lab.driver.inspect(full, both)).toMatchObject({
    value: { endpoints: [{ findings: [] }, { findings: [] }] },
  })
})

test('what somebody changed in our tables is found and put right', async () => {
  const plan = planOf([tcpOut, tcpIn])
  const nft = async (...words: string[]): Promise<void> => {
    expect(await lab.lab.exec(lab.host, 'nft', words)).toMatchObject({ code: 0 })
  }
  await enforce(plan)
  expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
  expect((await lab.driver.reconcile(plan, [a.attachment(), b.attachment(), c.attachment()])).outcome).toBe('unchanged')
  for (const damage of [
    ['insert', 'rule', 'inet', 'hyperward_endpoint', 'alone_out', 'goto', 'pass_out'],
    ['flush', 'map', 'bridge', 'hyperward_endpoint', 'ports'],
    ['add', 'chain', 'inet', 'hyperward_endpoint', 'mine'],
    ['delete', 'table', 'netdev', 'hyperward_endpoint'],
  ]) {
    await nft(...damage)
    const found = await lab.driver.verify()
    expect(found.known && found.value.drift.length).toBeGreaterThan(0)
    await enforce(plan)
    expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
    expect(await toB(tcp(ends4, fresh(), 99))).toBe(false)
    expect(await toB(tcp(ends4, fresh(), 80))).toBe(true)
  }
})

test('rules of others that write marks open nothing, and close nothing either', async () => {
  const rules = [
    'add table inet vpn',
    'add chain inet vpn raw { type filter hook prerouting priority -300; policy accept; }',
    'add rule inet vpn raw meta mark set 0x7',
    'add chain inet vpn mangle { type filter hook prerouting priority -150; policy accept; }',
    'add rule inet vpn mangle meta mark set ct mark',
    'add chain inet vpn forward { type filter hook forward priority -150; policy accept; }',
    'add rule inet vpn forward meta mark set 0x7',
    'add chain inet vpn output { type filter hook output priority -150; policy accept; }',
    'add rule inet vpn output meta mark set 0x7',
  ]
  expect(await lab.lab.exec(lab.host, 'nft', ['-f', '-'], { input: `${rules.join('\n')}\n` })).toMatchObject({
    code: 0,
  })
  try {
    await enforce(planOf([tcpOut, tcpIn, ['ingress', 200, 100, 2, 'allow', 'udp-in']]))
    for (const ends of families) {
      const client = fresh()
      await connect(ends, client)
      expect(await toA(back(ends, client))).toBe(true)
      expect(await toB(tcp(ends, fresh(), 99))).toBe(false)
      // only the sender's side refuses it
      expect(await toB(udp(ends, fresh(), 53))).toBe(false)
    }
  } finally {
    await lab.lab.exec(lab.host, 'nft', ['delete', 'table', 'inet', 'vpn'])
  }
})

test('the host itself, and what it routes, meets the same verdicts', async () => {
  const ip = async (...words: string[]): Promise<void> => {
    expect(await lab.lab.exec(lab.host, 'ip', words)).toMatchObject({ code: 0, stderr: '' })
  }
  const ping = async (netns: string, to: string): Promise<boolean> =>
    (await lab.lab.exec(netns, 'ping', ['-c1', '-W0.3', to])).code === 0
  const plan = (rows: readonly PlanVerdict[]): HostPlan => {
    const { sections, ...rest } = planOf(rows)
    const networks = makePlan({
      endpoints: [],
      networks: [
        ['10.9.255.0/24', 500],
        ['10.77.0.0/16', 600],
      ],
    }).sections.networks
    return { ...rest, sections: { ...sections, networks } }
  }
  await ip('addr', 'add', '10.9.255.1/16', 'dev', 'br0')
  await ip('link', 'add', 'far0', 'type', 'veth', 'peer', 'name', 'far1')
  const far = await lab.lab.addNetns('far')
  await ip('link', 'set', 'far1', 'netns', far)
  await ip('addr', 'add', '10.77.0.1/16', 'dev', 'far0')
  await ip('link', 'set', 'far0', 'up')
  for (const words of [
    ['addr', 'add', '10.77.0.2/16', 'dev', 'far1'],
    ['link', 'set', 'far1', 'up'],
    ['route', 'add', 'default', 'via', '10.77.0.1'],
  ])
    expect(await lab.lab.exec(far, 'ip', words)).toMatchObject({ code: 0 })
  await lab.lab.exec(c.namespace.netns, 'ip', ['route', 'add', 'default', 'via', '10.9.255.1'])
  await lab.lab.exec(lab.host, 'sysctl', ['-qw', 'net.ipv4.ip_forward=1'])
  const tried = async (): Promise<readonly boolean[]> => [
    await ping(c.namespace.netns, '10.9.255.1'),
    await ping(lab.host, '10.9.0.3'),
    await ping(c.namespace.netns, '10.77.0.2'),
    await ping(far, '10.9.0.3'),
  ]
  const rows: readonly PlanVerdict[] = [
    ['egress', 300, 500, 3, 'allow', 'to-host'],
    ['ingress', 300, 500, 3, 'allow', 'from-host'],
    ['egress', 300, 600, 3, 'allow', 'to-far'],
    ['ingress', 300, 600, 3, 'allow', 'from-far'],
  ]
  for (const [index, row] of rows.entries()) {
    await enforce(plan([row]))
    expect([row[5], await tried()]).toEqual([row[5], rows.map((_, other) => other === index)])
  }
  // masquerading is the host's own affair: the answer still finds its connection
  const nat = [
    'add table ip nat',
    'add chain ip nat post { type nat hook postrouting priority 100; }',
    'add rule ip nat post oifname "far0" masquerade',
  ]
  await lab.lab.exec(lab.host, 'nft', ['-f', '-'], { input: `${nat.join('\n')}\n` })
  await enforce(plan(rows.slice(2, 3)))
  expect(await ping(c.namespace.netns, '10.77.0.2')).toBe(true)
  await enforce(plan([]))
  expect(await ping(c.namespace.netns, '10.77.0.2')).toBe(false)
  await lab.lab.exec(lab.host, 'nft', ['delete', 'table', 'ip', 'nat'])
  // a tap that was taken off its bridge gets nothing of what the host routes
  await enforce(plan(rows))
  await ip('link', 'set', c.namespace.tap, 'nomaster')
  await ip('route', 'add', '10.9.0.3/32', 'dev', c.namespace.tap)
  expect(await ping(far, '10.9.0.3')).toBe(false)
  await ip('link', 'set', c.namespace.tap, 'master', 'br0')
  await ip('route', 'del', '10.9.0.3/32', 'dev', c.namespace.tap)
  await ip('addr', 'del', '10.9.255.1/16', 'dev', 'br0')
})

test('a tap off any bridge, or with a name that is none of nft’s, stays closed alone', async () => {
  const report = await lab.driver.reconcile(planOf([tcpOut, tcpIn]), [
    a.attachment(),
    { ...b.attachment(), segment: 0 },
  ])
  expect(report.endpoints).toMatchObject([
    { state: 'enforced' },
    { state: 'closed', reason: 'the tap is on no bridge, where the nftables driver cannot guard it' },
  ])
  expect(await toB(tcp(ends4, fresh(), 80))).toBe(false)
  await lab.lab.exec(lab.host, 'ip', ['link', 'set', c.namespace.tap, 'down'])
  const odd = 'x";}#'
  expect(await lab.lab.exec(lab.host, 'ip', ['link', 'set', c.namespace.tap, 'name', odd])).toMatchObject({ code: 0 })
  const named = await lab.driver.reconcile(planOf([tcpOut, tcpIn]), [
    a.attachment(),
    b.attachment(),
    { ...c.attachment(), device: odd },
  ])
  expect(named.endpoints.map(({ state }) => state)).toEqual(['enforced', 'enforced', 'closed'])
  await lab.lab.exec(lab.host, 'ip', ['link', 'set', odd, 'name', c.namespace.tap])
  await lab.lab.exec(lab.host, 'ip', ['link', 'set', c.namespace.tap, 'up'])
})

test('a tap that goes takes nothing of the others along', async () => {
  const gone = await lab.addEndpoint(20, [])
  const plan = planOf([tcpOut, tcpIn])
  const all = [a.attachment(), b.attachment(), gone.attachment()]
  const before = await lab.driver.reconcile(plan, all)
  expect(before.endpoints.map(({ state }) => state)).toEqual(['enforced', 'enforced', 'closed'])
  await lab.lab.exec(lab.host, 'ip', ['link', 'delete', gone.namespace.tap])
  const after = await lab.driver.reconcile(planOf([tcpOut, tcpIn, udpOut]), all)
  expect(after.endpoints.map(({ state }) => state)).toEqual(['enforced', 'enforced', 'closed'])
  expect(await toB(tcp(ends4, fresh(), 80))).toBe(true)
  await gone.namespace.remove()
})

test('invariant 3: tables of libvirt, Docker, firewalld and an operator stay as they are, and ours leave nothing behind', async () => {
  const foreign = [
    'add table ip libvirt_network',
    'add chain ip libvirt_network forward { type filter hook forward priority 0; policy accept; }',
    'add rule ip libvirt_network forward counter accept',
    'add table ip filter',
    'add chain ip filter DOCKER-USER',
    'add chain ip filter FORWARD { type filter hook forward priority 0; policy accept; }',
    'add rule ip filter FORWARD jump DOCKER-USER',
    'add table inet firewalld',
    'add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }',
    'add rule inet firewalld filter_FORWARD ct state { established, related } accept',
    'add table bridge operator',
    'add chain bridge operator forward { type filter hook forward priority 0; policy accept; }',
    'add rule bridge operator forward ether type 0x88cc drop',
    'add table netdev operator',
    `add chain netdev operator in { type filter hook ingress device "${a.namespace.tap}" priority 0; policy accept; }`,
  ]
  await lab.driver.remove()
  const list = async (): Promise<string> => (await lab.lab.exec(lab.host, 'nft', ['-s', 'list', 'ruleset'])).stdout
  expect(await list()).toBe('')
  await lab.lab.exec(lab.host, 'nft', ['-f', '-'], { input: `${foreign.join('\n')}\n` })
  const before = await list()
  expect(before).toContain('DOCKER-USER')
  await enforce(planOf([tcpOut, tcpIn]))
  expect(await toB(tcp(ends4, fresh(), 80))).toBe(true)
  await enforce(planOf([udpOut, udpIn]))
  expect(await toB(udp(ends6, fresh(), 53))).toBe(true)
  await lab.driver.reconcile(null, [])
  await lab.driver.remove()
  expect(await list()).toBe(before)
})
