/** Rules that inspect, with gateways attached, in the real kernel: namespaces that bridge two ports stand in for gateway VMs. */
import type { HostPlan } from '@hyperward/model'
import { waitFor, ipBatch } from '@hyperward/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import type { GatewayAttachment, GatewayReport } from './gateways.ts'
import { createDatapathLab, type DatapathLab, type LabEndpoint } from './testing/datapath-lab.ts'
import { tcp, udp, swap, protocol, type Ends } from '@hyperward/datapath-testkit'
import { endpointId, makePlan, ruleRef, type PlanVerdict } from '@hyperward/datapath-testkit'
import { ifindexOf, openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

const profile = 'acme/web'
let lab: DatapathLab
let a: LabEndpoint
let b: LabEndpoint
/** Tells which frames went through each gateway: what its inner bridge sees. */
let gateways: { readonly netns: string; readonly attachment: GatewayAttachment; readonly wire: RawSocket }[]
let port = 20_000
const fresh = (): number => (port += 1)

beforeAll(async () => {
  lab = await createDatapathLab('hwgate')
  a = await lab.addEndpoint(1, ['10.9.0.1/24', 'fd00:9::1/64'])
  b = await lab.addEndpoint(2, ['10.9.0.2/24', 'fd00:9::2/64'])
  gateways = [await addGateway('g1'), await addGateway('g2')]
  const serve = `require('net').createServer(s=>{s.on('error',()=>{});s.on('data',d=>s.write(d))}).listen(80,'::')`
  await lab.lab.start(b.namespace.netns, process.execPath, ['-e', serve])
  await waitFor(async () => (await b.namespace.exec('ss', ['-Hltn', 'sport = :80'])).stdout.includes('LISTEN'), {
    timeoutMs: 10_000,
  })
})
afterAll(async () => {
  for (const gateway of gateways) gateway.wire.close()
  await lab.close()
})
let tick: NodeJS.Timeout
let reports: readonly GatewayReport[] = []
beforeEach(() => {
  lab.events()
  tick = setInterval(() => {
    const probed = lab.driver.probeGateways()
    if (!probed.known) throw new Error(probed.reason)
    reports = probed.value
  }, 100)
})
afterEach(async () => {
  clearInterval(tick)
  for (const name of ['g1', 'g2']) await hang(name, false)
})

async function addGateway(name: string): Promise<(typeof gateways)[number]> {
  const netns = await lab.lab.addNetns(name)
  await ipBatch(netns, [
    'link add gwbr type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link set gwbr addrgenmode none up',
    ...[`in-${name}`, `out-${name}`].flatMap((device, index) => [
      `link add eth${index} type veth peer name ${device} netns ${lab.host}`,
      `link set eth${index} addrgenmode none master gwbr up`,
    ]),
  ])
  for (const device of ['eth0', 'eth1']) await learnNothing(netns, device)
  await ipBatch(lab.host, [`link set in-${name} addrgenmode none up`, `link set out-${name} addrgenmode none up`])
  const at = (device: string) => ({ device, ifindex: ifindexOf(lab.host, device) })
  return {
    netns,
    wire: openRawSocket(netns, 'eth0'),
    attachment: {
      name,
      inside: at(`in-${name}`),
      outside: at(`out-${name}`),
      profiles: [profile],
      draining: false,
    },
  }
}

/** A wire: one MAC sends into either side of it, as connections begin here or there. A port that comes to a bridge learns. */
async function learnNothing(netns: string, device: string): Promise<void> {
  await lab.lab.exec(netns, 'bridge', ['link', 'set', 'dev', device, 'learning', 'off'])
}

/** Forwards no more, with both links up. */
async function hang(name: string, hung: boolean): Promise<void> {
  const netns = gateways.find((one) => one.attachment.name === name)?.netns ?? ''
  await ipBatch(netns, [hung ? 'link set eth1 nomaster' : 'link set eth1 master gwbr'])
  if (!hung) await learnNothing(netns, 'eth1')
}

const sides: Readonly<Record<string, readonly PlanVerdict[]>> = {
  sender: [
    ['egress', 100, 200, 1, 'inspect', 'look-out'],
    ['ingress', 200, 100, 1, 'allow', 'in'],
  ],
  receiver: [
    ['egress', 100, 200, 1, 'allow', 'out'],
    ['ingress', 200, 100, 1, 'inspect', 'look-in'],
  ],
  both: [
    ['egress', 100, 200, 1, 'inspect', 'look-out'],
    ['ingress', 200, 100, 1, 'inspect', 'look-in'],
  ],
}

function planOf(verdicts: readonly PlanVerdict[]): HostPlan {
  return makePlan({
    endpoints: [
      { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
      { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
    ],
    services: [
      [protocol.tcp, 80, 80, 1],
      [protocol.udp, 53, 53, 1],
    ],
    verdicts,
  })
}

async function enforce(
  verdicts: readonly PlanVerdict[],
  names: readonly string[],
  options: { readonly failOpen?: boolean; readonly draining?: string; readonly up?: boolean } = {},
): Promise<void> {
  const chosen = gateways
    .map(({ attachment }) => ({ ...attachment, draining: attachment.name === options.draining }))
    .filter(({ name }) => names.includes(name))
  const failOpen = options.failOpen === true ? [profile] : []
  const report = await lab.driver.reconcile(planOf(verdicts), [a.attachment(), b.attachment()], {
    gateways: chosen,
    failOpen,
  })
  expect(report.reason).toBe(null)
  if (options.up !== false) for (const name of names) await becomes(name, 'up')
}

async function becomes(name: string, state: 'up' | 'down'): Promise<void> {
  const is = (): boolean => reports.find((report) => report.name === name)?.state === state
  await waitFor(is, { timeoutMs: 10_000, what: `${name} ${state}` })
}

/** A TCP connection that sends a line and has it echoed as often as asked. */
async function talk(address: string, rounds = 3): Promise<string> {
  const script = `const s=require('net').connect(80,'${address}');let n=0;s.setTimeout(1500,()=>{console.log('silent');s.destroy()});
s.on('connect',()=>s.write('x'.repeat(20000)));let got=0;s.on('data',d=>{got+=d.length;if(got>=20000){got-=20000;if(++n<${rounds})s.write('x'.repeat(20000));else{console.log('done');s.end()}}});
s.on('error',e=>console.log(e.code))`
  return (await a.namespace.exec(process.execPath, ['-e', script], { timeoutMs: 10_000 })).stdout.trim()
}

const through = (name: string): number => reports.find((report) => report.name === name)?.packets ?? 0

for (const [side, verdicts] of Object.entries(sides)) {
  for (const address of ['10.9.0.2', 'fd00:9::2']) {
    test(`a connection that the ${side} inspects goes through the gateway, once each way (${address})`, async () => {
      await enforce(verdicts, ['g1'])
      const wire = gateways[0]?.wire
      wire?.receiveAll()
      expect(await talk(address)).toBe('done')
      // without what the gateway says on its own to groups
      const isTcp = (frame: Buffer): boolean => frame.readUInt8(frame.readUInt16BE(12) === 0x0800 ? 23 : 20) === 6
      const frames = (wire?.receiveAll() ?? []).filter(isTcp)
      expect(frames.length).toBeGreaterThan(5)
      // MACs are the endpoints' own, in both directions
      expect(new Set(frames.map((frame) => frame.toString('hex', 0, 12)))).toEqual(
        new Set(['020000000002020000000001', '020000000001020000000002']),
      )
      await waitFor(() => through('g1') > 0)
      const g1 = reports.find((report) => report.name === 'g1')
      expect(g1?.returned).toBe(g1?.packets)
    })
  }
}

test('what a gateway invents, or sends out of the wrong port, reaches nobody', async () => {
  await enforce(sides['sender'] ?? [], ['g1'])
  const arrivals = openRawSocket(b.namespace.netns, 'eth0')
  const inner = openRawSocket(gateways[0]?.netns ?? '', 'eth1')
  const before = reports.find((report) => report.name === 'g1')?.refused ?? 0
  const ends: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
  inner.send(tcp(ends, fresh(), 80))
  inner.send(udp({ ...ends, from: 7 }, fresh(), 53))
  inner.send(tcp(swap(ends), 80, fresh(), { flags: 'SA' }))
  await waitFor(() => (reports.find((report) => report.name === 'g1')?.refused ?? 0) >= before + 3)
  expect(arrivals.receiveAll().filter((frame) => frame.readUInt16BE(12) === 0x0800)).toEqual([])
  arrivals.close()
  inner.close()
})

test('a gateway that hangs with its links up: fail closed drops and tells, fail open goes on, and both meet it again when it is back', async () => {
  const verdicts = sides['sender'] ?? []
  await enforce(verdicts, ['g1'])
  const begun = performance.now()
  await hang('g1', true)
  await becomes('g1', 'down')
  expect(performance.now() - begun).toBeLessThan(2000)
  lab.events()
  expect(await talk('10.9.0.2')).not.toBe('done')
  expect(lab.events()).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({
        kind: 'drop',
        reason: 'no-gateway',
        rule: ruleRef('look-out'),
        endpoint: endpointId(1),
      }),
    ]),
  )
  await enforce(verdicts, ['g1'], { failOpen: true, up: false })
  const before = through('g1')
  expect(await talk('10.9.0.2')).toBe('done')
  expect(through('g1')).toBe(before)
  await hang('g1', false)
  await becomes('g1', 'up')
  expect(await talk('10.9.0.2')).toBe('done')
  await waitFor(() => through('g1') > before)
})

test('connections that begin at either end go through one gateway at the same time', async () => {
  const both: readonly PlanVerdict[] = [
    ['egress', 100, 200, 1, 'inspect', 'look-out'],
    ['ingress', 200, 100, 1, 'inspect', 'look-in'],
    ['egress', 200, 100, 1, 'inspect', 'look-back'],
    ['ingress', 100, 200, 1, 'allow', 'in-back'],
  ]
  await enforce(both, ['g1'])
  const sockets = { a: openRawSocket(a.namespace.netns, 'eth0'), b: openRawSocket(b.namespace.netns, 'eth0') }
  const there: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
  const arrives = async (socket: RawSocket, frame: Buffer): Promise<void> => {
    const found = (): boolean => socket.receiveAll().some((one) => one.equals(frame))
    await waitFor(found, { timeoutMs: 5000, what: 'a frame' })
  }
  const [ours, theirs] = [fresh(), fresh()]
  for (let turn = 0; turn < 3; turn += 1) {
    const frames = [
      [sockets.a, sockets.b, udp(there, ours, 53, `out ${turn}`)],
      [sockets.b, sockets.a, udp(swap(there), theirs, 53, `back ${turn}`)],
      [sockets.b, sockets.a, udp(swap(there), 53, ours, `answer ${turn}`)],
      [sockets.a, sockets.b, udp(there, 53, theirs, `other ${turn}`)],
    ] as const
    for (const [from, to, frame] of frames) {
      to.receiveAll()
      from.send(frame)
      await arrives(to, frame)
    }
  }
  for (const socket of Object.values(sockets)) socket.close()
})

test('two gateways share connections, and both directions of one meet the same; draining takes no new one and loses none', async () => {
  const verdicts = sides['both'] ?? []
  await enforce(verdicts, ['g1', 'g2'])
  const sockets = { a: openRawSocket(a.namespace.netns, 'eth0'), b: openRawSocket(b.namespace.netns, 'eth0') }
  const ends: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
  const clients = Array.from({ length: 40 }, fresh)
  for (const { wire } of gateways) wire.receiveAll()
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200))
  const seen = (netIndex: number): number[] =>
    (gateways[netIndex]?.wire.receiveAll() ?? [])
      .filter((frame) => frame.readUInt16BE(12) === 0x0800 && frame.readUInt8(23) === 17)
      .map((frame) => frame.readUInt16BE(34))
  for (const client of clients) sockets.a.send(udp(ends, client, 53))
  await settle()
  const first = [seen(0), seen(1)] as const
  expect([...first[0], ...first[1]].toSorted((x, y) => x - y)).toEqual(clients)
  expect(first[0].length).toBeGreaterThan(5)
  expect(first[1].length).toBeGreaterThan(5)
  sockets.a.receiveAll()
  const before = [through('g1'), through('g2')]
  for (const client of clients) sockets.b.send(udp(swap(ends), 53, client))
  await settle()
  const answers = sockets.a.receiveAll().filter((frame) => frame.length > 40 && frame.readUInt8(23) === 17)
  expect(answers.map((frame) => frame.readUInt16BE(36)).toSorted((x, y) => x - y)).toEqual(clients)
  expect([through('g1') - (before[0] ?? 0), through('g2') - (before[1] ?? 0)]).toEqual([
    first[0].length,
    first[1].length,
  ])

  await enforce(verdicts, ['g1', 'g2'], { draining: 'g1' })
  for (const { wire } of gateways) wire.receiveAll()
  for (const client of clients) sockets.a.send(udp(ends, client, 53))
  const later = Array.from({ length: 20 }, fresh)
  for (const client of later) sockets.a.send(udp(ends, client, 53))
  await settle()
  expect(seen(0).toSorted((x, y) => x - y)).toEqual(first[0].toSorted((x, y) => x - y))
  expect(seen(1).toSorted((x, y) => x - y)).toEqual([...first[1], ...later].toSorted((x, y) => x - y))
  for (const socket of Object.values(sockets)) socket.close()
})

test('a TCP connection lives on while its gateway drains, hangs and is taken away: it goes to another one', async () => {
  const verdicts = sides['sender'] ?? []
  await enforce(verdicts, ['g1', 'g2'])
  const script = `const s=require('net').connect(80,'10.9.0.2');let n=0;s.on('error',e=>console.log(e.code));
s.on('data',()=>{if(++n===60)s.end(()=>console.log('done'));else setTimeout(()=>s.write('x'),50)});s.on('connect',()=>s.write('x'))`
  const before = [through('g1'), through('g2')]
  const client = a.namespace.exec(process.execPath, ['-e', script], { timeoutMs: 20_000 })
  const moved = (name: string): number => through(name) - (before[name === 'g1' ? 0 : 1] ?? 0)
  await waitFor(() => moved('g1') + moved('g2') > 10, { timeoutMs: 10_000 })
  const [its, other] = moved('g1') > 0 ? (['g1', 'g2'] as const) : (['g2', 'g1'] as const)
  await enforce(verdicts, ['g1', 'g2'], { draining: its, up: false })
  const drained = through(its)
  await waitFor(() => through(its) > drained + 5, { timeoutMs: 10_000 })
  expect(moved(other)).toBe(0)
  await hang(its, true)
  await waitFor(() => moved(other) > 0, { timeoutMs: 10_000 })
  await enforce(verdicts, [other], { up: false })
  expect((await client).stdout.trim()).toBe('done')
})

test('the tap of an endpoint is never a gateway’s port: it stays guarded, and the gateway is down with that reason', async () => {
  const [g1] = gateways
  if (g1 === undefined) throw new Error('no gateway')
  const inside = { device: a.namespace.tap, ifindex: a.ifindex }
  const report = await lab.driver.reconcile(planOf(sides['sender'] ?? []), [a.attachment(), b.attachment()], {
    gateways: [{ ...g1.attachment, name: 'g3', inside }],
    failOpen: [],
  })
  expect(report).toMatchObject({ reason: null, endpoints: [{ state: 'enforced' }, { state: 'enforced' }] })
  await waitFor(() => reports.some(({ name }) => name === 'g3'))
  expect(reports).toMatchObject([{ name: 'g3', state: 'down', reason: `${a.namespace.tap} is an endpoint's tap` }])
  expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
  expect(await talk('10.9.0.2')).not.toBe('done')
})

test('a restarted driver finds its gateways up, and lets their ports go when there are none', async () => {
  const verdicts = sides['sender'] ?? []
  await enforce(verdicts, ['g1'])
  clearInterval(tick)
  lab.restart()
  expect(await talk('10.9.0.2')).toBe('done')
  await enforce(verdicts, ['g1'], { up: false })
  expect(await talk('10.9.0.2')).toBe('done')
  await enforce(verdicts, [], { up: false })
  expect(await talk('10.9.0.2')).not.toBe('done')
  const filters = await lab.lab.exec(lab.host, 'tc', ['filter', 'show', 'dev', 'in-g1', 'ingress'])
  expect(filters.stdout.trim()).toBe('')
})
