/** Connections in the real kernel: both directions, ends, what is cut and what lives, answers to rejects, counters. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { DatapathEvent, HostPlan } from '@hyperward/model'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { loadLibbpf } from './libbpf.ts'
import { pinDirectory } from './names.ts'
import { layout } from './render.ts'
import { objectPath, createDatapathLab, type DatapathLab, type LabEndpoint } from './testing/datapath-lab.ts'
import { hasRightSums, protocol, swap, tcp, udp, type Ends } from '@hyperward/datapath-testkit'
import { endpointId, makePlan, ruleRef, type PlanVerdict } from '@hyperward/datapath-testkit'
import { ifindexOf, openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }
const deliveries = ['direct', 'bridge'] as const

let lab: DatapathLab
let a: LabEndpoint
let b: LabEndpoint
let uplink: LabEndpoint
let sockets: { readonly a: RawSocket; readonly b: RawSocket; readonly uplink: RawSocket }
let port = 20_000
const fresh = (): number => (port += 1)

beforeAll(async () => {
  lab = await createDatapathLab('hweconn', { halfOpenConnections: 2048, connections: 4096 })
  a = await lab.addEndpoint(1, [])
  b = await lab.addEndpoint(2, [])
  uplink = await lab.addEndpoint(9, [])
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
afterEach(() => {
  lab.events()
})

function planOf(verdicts: readonly PlanVerdict[]): HostPlan {
  return makePlan({
    endpoints: [
      { number: 1, tenant: 'acme', identity: 100, addresses: ['10.9.0.1', 'fd00:9::1'] },
      { number: 2, tenant: 'acme', identity: 200, addresses: ['10.9.0.2', 'fd00:9::2'] },
      { number: 9, tenant: 'acme', identity: 300, addresses: ['10.9.0.9', 'fd00:9::9'], elsewhere: true },
    ],
    services: [
      [protocol.tcp, 80, 80, 1],
      [protocol.udp, 53, 53, 2],
      [protocol.tcp, 90, 90, 3],
      [protocol.udp, 90, 90, 3],
    ],
    verdicts,
  })
}

const open: readonly PlanVerdict[] = [
  ['egress', 100, 200, 1, 'allow', 'tcp-out'],
  ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
  ['egress', 100, 200, 2, 'allow', 'udp-out'],
  ['ingress', 200, 100, 2, 'allow', 'udp-in'],
]

async function enforce(plan: HostPlan, delivery: (typeof deliveries)[number]): Promise<void> {
  const report = await lab.driver.reconcile(plan, [a.attachment(delivery), b.attachment(delivery)])
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

async function handshake(ends: Ends, sourcePort: number): Promise<void> {
  expect(await toB(tcp(ends, sourcePort, 80, { flags: 'S', seq: 1000 }))).toBe(true)
  expect(await toA(tcp(swap(ends), 80, sourcePort, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
  expect(await toB(tcp(ends, sourcePort, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
}

const told = (kind: DatapathEvent['kind']): DatapathEvent[] => lab.events().filter((event) => event.kind === kind)

for (const delivery of deliveries) {
  test(`a TCP connection opens, carries both ways, closes, and its end is told with its bytes (${delivery})`, async () => {
    await enforce(planOf(open), delivery)
    lab.events()
    for (const ends of [ends4, ends6]) {
      const client = fresh()
      await handshake(ends, client)
      expect(await toB(tcp(ends, client, 80, { flags: 'PA', seq: 1001, ack: 5001, text: 'hello' }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'FA', seq: 5001, ack: 1006 }))).toBe(true)
      expect(await toB(tcp(ends, client, 80, { flags: 'FA', seq: 1006, ack: 5002 }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5002, ack: 1007 }))).toBe(true)
      const end = told('flow-end').filter((event) => event.endpoint === endpointId(1))
      const header = ends === ends4 ? 40 : 60
      expect(end).toMatchObject([
        { end: 'closed', packets: 7, bytes: 7 * header + 5, rule: ruleRef('tcp-out'), direction: 'egress' },
      ])
      // a new connection from the same port, after the old one's end
      expect(await toB(tcp(ends, client, 80, { flags: 'S', seq: 9000 }))).toBe(true)
    }
  })

  test(`replies pass, the same packets without a request do not (${delivery})`, async () => {
    await enforce(planOf(open), delivery)
    for (const ends of [ends4, ends6]) {
      const client = fresh()
      expect(await toA(udp(swap(ends), 53, client))).toBe(false)
      expect(await toB(udp(ends, client, 53))).toBe(true)
      expect(await toA(udp(swap(ends), 53, client))).toBe(true)
      expect(await toA(udp(swap(ends), 53, client + 1))).toBe(false)
    }
  })

  test(`a reset off its sequence number closes nothing, an exact one does (${delivery})`, async () => {
    await enforce(planOf(open), delivery)
    const client = fresh()
    await handshake(ends4, client)
    lab.events()
    await toB(tcp(ends4, client, 80, { flags: 'R', seq: 4_000_000 }))
    expect(told('flow-end')).toEqual([])
    await toA(tcp(swap(ends4), 80, client, { flags: 'A', seq: 5001, ack: 1001 }))
    await toB(tcp(ends4, client, 80, { flags: 'R', seq: 1001 }))
    expect(told('flow-end').map((event) => event.kind === 'flow-end' && event.end)).toContain('reset')
  })

  test(`exactly the connections that policy no longer allows are cut, at once (${delivery})`, async () => {
    await enforce(planOf(open), delivery)
    const kept = fresh()
    const cut = fresh()
    for (const ends of [ends4, ends6]) {
      await handshake(ends, kept)
      expect(await toB(udp(ends, cut, 53))).toBe(true)
      expect(await toA(udp(swap(ends), 53, cut))).toBe(true)
    }
    await enforce(planOf(open.slice(0, 2)), delivery)
    lab.events()
    for (const ends of [ends4, ends6]) {
      expect(await toA(udp(swap(ends), 53, cut))).toBe(false)
      expect(await toB(udp(ends, cut, 53))).toBe(false)
      expect(await toB(tcp(ends, kept, 80, { flags: 'PA', seq: 1001, ack: 5001, text: 'still' }))).toBe(true)
      expect(await toA(tcp(swap(ends), 80, kept, { flags: 'A', seq: 5001, ack: 1006 }))).toBe(true)
    }
    const ends = told('flow-end')
    expect(new Set(ends.map((event) => event.kind === 'flow-end' && event.end))).toEqual(new Set(['revoked']))
    expect(ends.length).toBeGreaterThan(0)
  })

  test(`a denied request opens nothing for the answer (${delivery})`, async () => {
    // the sender's side allows, the receiver's does not
    await enforce(planOf(open.filter(([direction]) => direction === 'egress')), delivery)
    for (const ends of [ends4, ends6]) {
      const client = fresh()
      expect(await toB(udp(ends, client, 53))).toBe(false)
      expect(await toA(udp(swap(ends), 53, client))).toBe(false)
      expect(await toB(tcp(ends, client, 80))).toBe(false)
      expect(await toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(false)
    }
  })

  test(`a reject is answered at the sender, by either side's rule (${delivery})`, async () => {
    for (const side of ['egress', 'ingress'] as const) {
      await enforce(
        planOf([
          ['egress', 100, 200, 3, side === 'egress' ? 'reject' : 'allow', `out-${side}`],
          ['ingress', 200, 100, 3, side === 'ingress' ? 'reject' : 'allow', `in-${side}`],
        ]),
        delivery,
      )
      for (const ends of [ends4, ends6]) {
        const client = fresh()
        sockets.a.receiveAll()
        expect(await toB(tcp(ends, client, 90, { seq: 77 }))).toBe(false)
        expect(await toB(udp(ends, client, 90))).toBe(false)
        await new Promise((resolve) => setTimeout(resolve, 2))
        const answers = sockets.a.receiveAll().filter((frame) => frame.readUInt8(0) === 2)
        const at = ends === ends4 ? 34 : 54
        const [reset, unreachable] = answers
        expect(answers.map((frame) => [frame.length, hasRightSums(frame)])).toEqual([
          [at + 20, true],
          [ends === ends4 ? 70 : 110, true],
        ])
        expect(reset?.readUInt32BE(at + 8)).toBe(78)
        expect(reset?.readUInt8(at + 13)).toBe(0x14)
        expect([...(unreachable?.subarray(at, at + 2) ?? [])]).toEqual(ends === ends4 ? [3, 3] : [1, 4])
      }
    }
  })
}

test('a reject at the receiver travels over the bridge to a sender on another host', async () => {
  await enforce(planOf([['ingress', 200, 300, 3, 'reject', 'in']]), 'bridge')
  const ends: Ends = { from: 9, to: 2, source: '10.9.0.9', destination: '10.9.0.2' }
  sockets.uplink.receiveAll()
  sockets.uplink.send(tcp(ends, fresh(), 90, { seq: 5 }))
  await new Promise((resolve) => setTimeout(resolve, 5))
  const answers = sockets.uplink.receiveAll().filter((frame) => frame.readUInt16BE(12) === 0x0800)
  expect(answers).toHaveLength(1)
  expect(answers[0]?.readUInt8(34 + 13)).toBe(0x14)
})

test('a client that is rejected fails at once with ECONNREFUSED', async () => {
  for (const { endpoint, addresses } of [
    { endpoint: a, addresses: ['10.9.0.1/16', 'fd00:9::1/64'] },
    { endpoint: b, addresses: ['10.9.0.2/16', 'fd00:9::2/64'] },
  ]) {
    for (const one of addresses)
      await endpoint.namespace.exec('ip', ['addr', 'add', one, 'dev', 'eth0', ...(one.includes(':') ? ['nodad'] : [])])
  }
  for (const delivery of deliveries) {
    await enforce(
      planOf([
        ['egress', 100, 200, 3, 'allow', 'out'],
        ['ingress', 200, 100, 3, 'reject', 'in'],
      ]),
      delivery,
    )
    for (const destination of ['10.9.0.2', 'fd00:9::2']) {
      const code = `const s=require('net').connect({host:'${destination}',port:90});const t=Date.now();s.on('error',e=>console.log(e.code,Date.now()-t<500))`
      const { stdout } = await a.namespace.exec(process.execPath, ['-e', code], { timeoutMs: 5000 })
      expect(stdout.trim()).toBe('ECONNREFUSED true')
    }
  }
  for (const endpoint of [a, b])
    await endpoint.namespace.exec('ip', ['addr', 'flush', 'dev', 'eth0', 'scope', 'global'])
})

test('a stream of large segments arrives whole, both families, and its bytes are counted', async () => {
  for (const [endpoint, number] of [[a, 1] as const, [b, 2] as const]) {
    await endpoint.namespace.exec('ip', ['addr', 'add', `10.9.0.${number}/16`, 'dev', 'eth0'])
    await endpoint.namespace.exec('ip', ['addr', 'add', `fd00:9::${number}/64`, 'dev', 'eth0', 'nodad'])
  }
  const total = 40_000_000
  const serve = `require('net').createServer(s=>{let n=0;s.on('data',d=>n+=d.length);s.on('end',()=>s.end(String(n)))}).listen(80,'::')`
  const server = await b.namespace.start(process.execPath, ['-e', serve])
  try {
    for (const delivery of deliveries) {
      await enforce(planOf(open), delivery)
      for (const destination of ['10.9.0.2', 'fd00:9::2']) {
        const code = `const c=()=>{const s=require('net').connect({host:'${destination}',port:80});s.on('error',()=>setTimeout(c,50));s.on('connect',()=>s.end(Buffer.alloc(${total})));s.on('data',d=>console.log(String(d)))};c()`
        const before = bytesOf('tcp-out')
        const { stdout } = await a.namespace.exec(process.execPath, ['-e', code], { timeoutMs: 20_000 })
        expect(Number(stdout)).toBe(total)
        expect(bytesOf('tcp-out') - before).toBeGreaterThan(total)
      }
    }
  } finally {
    await server.stop()
  }
  for (const endpoint of [a, b])
    await endpoint.namespace.exec('ip', ['addr', 'flush', 'dev', 'eth0', 'scope', 'global'])
})

function bytesOf(rule: string): number {
  const counters = lab.driver.readCounters()
  if (!counters.known) throw new Error(counters.reason)
  return counters.value.find((counter) => counter.rule === ruleRef(rule))?.bytes ?? 0
}

test('a flood of half-open connections evicts no established one', async () => {
  await enforce(planOf(open), 'direct')
  const client = fresh()
  await handshake(ends4, client)
  // more than the table of half-open ones holds (2,048), several times over
  for (let i = 0; i < 12_000; i += 1) sockets.a.send(tcp(ends4, 30_000 + (i % 30_000), 80, { seq: i }))
  sockets.b.receiveAll()
  expect(await toA(tcp(swap(ends4), 80, client, { flags: 'A', seq: 5001, ack: 1001 }))).toBe(true)
})

test('invariant 4: closing the driver changes nothing; a new one finds connections, counters and tables', async () => {
  const plan = planOf(open)
  await enforce(plan, 'bridge')
  const client = fresh()
  await handshake(ends4, client)
  const before = lab.driver.readCounters()
  lab.restart()
  expect(await toB(tcp(ends4, client, 80, { flags: 'PA', seq: 1001, ack: 5001, text: 'x' }))).toBe(true)
  expect(await toB(tcp(ends4, fresh(), 81))).toBe(false)
  const report = await lab.driver.reconcile(plan, [a.attachment('bridge'), b.attachment('bridge')])
  expect(report.generation).toBe('kept')
  expect(await toA(tcp(swap(ends4), 80, client, { flags: 'A', seq: 5001, ack: 1002 }))).toBe(true)
  const after = lab.driver.readCounters()
  if (!before.known || !after.known) throw new Error('counters unknown')
  const counts = new Map(after.value.map((counter) => [counter.rule, counter.packets]))
  for (const counter of before.value) expect(counts.get(counter.rule)).toBeGreaterThanOrEqual(counter.packets)
  const out = before.value.find((counter) => counter.rule === ruleRef('tcp-out'))?.packets ?? 0
  expect(counts.get(ruleRef('tcp-out'))).toBe(out + 2)
})

test('invariant 4: kill -9 of the process changes nothing', async () => {
  await lab.driver.reconcile(planOf([]), [])
  const inputPath = join(lab.lab.dir, 'input.json')
  const tellPath = join(lab.lab.dir, 'told')
  const attachments = [a.attachment('bridge'), b.attachment('bridge')]
  writeFileSync(inputPath, JSON.stringify({ plan: planOf(open), attachments }))
  const runner = join(import.meta.dirname, 'testing/drive.ts')
  const engine = await lab.lab.start(lab.host, process.execPath, [runner, objectPath, lab.pinRoot, inputPath, tellPath])
  for (let turn = 0; turn < 100 && !existsSync(tellPath); turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
  expect(readFileSync(tellPath, 'utf8')).toBe('applied')
  const client = fresh()
  await handshake(ends4, client)
  engine.signal('SIGKILL')
  await engine.exited
  expect(await toB(tcp(ends4, client, 80, { flags: 'PA', seq: 1001, ack: 5001, text: 'x' }))).toBe(true)
  await handshake(ends6, fresh())
  expect(await toB(tcp(ends4, fresh(), 81))).toBe(false)
  expect(await toB(tcp({ ...ends4, source: '10.9.0.77' }, fresh(), 80))).toBe(false)
  // the driver of this test believed another state: a new one reads what is there
  lab.restart()
})

test('counters survive 200 changes of plan and never go down', async () => {
  let last = 0
  for (let i = 0; i < 200; i += 1) {
    const extra: PlanVerdict[] = i % 3 === 0 ? [['egress', 100, 0, 3, 'drop', `extra-${i % 7}`]] : []
    await lab.driver.reconcile(planOf([...open, ...extra]), [a.attachment(), b.attachment()])
    sockets.a.send(udp(ends4, 40_000, 53))
    const counters = lab.driver.readCounters()
    if (!counters.known) throw new Error(counters.reason)
    const packets = counters.value.find((counter) => counter.rule === ruleRef('udp-out'))?.packets ?? 0
    expect(packets).toBeGreaterThan(last)
    last = packets
  }
})

test('no packet is judged by a mixture of two plans', async () => {
  // plan one: A may send to B, but B takes nothing; plan two: the other way round. Only a mixture would let a packet through.
  const one = planOf([
    ['egress', 100, 200, 2, 'allow', 'out'],
    ['ingress', 200, 100, 2, 'drop', 'in'],
  ])
  const two = planOf([
    ['egress', 100, 200, 2, 'drop', 'out'],
    ['ingress', 200, 100, 2, 'allow', 'in'],
  ])
  const attachments = [a.attachment(), b.attachment()]
  await lab.driver.reconcile(one, attachments)
  sockets.b.receiveAll()
  const program = `
    const k = require(${JSON.stringify(import.meta.resolve('koffi').replace('file://', ''))})
    const c = k.load('libc.so.6'); const s = c.func('int socket(int,int,int)'), b = c.func('int bind(int, const void *, uint32_t)'), w = c.func('long send(int, const void *, size_t, int)')
    const fd = s(17, 3, 0); const at = Buffer.alloc(20); at.writeUInt16LE(17); at.writeInt32LE(Number(process.argv[2]), 4); b(fd, at, 20)
    const frame = Buffer.from(process.argv[1], 'hex'); const end = Date.now() + 1500; let n = 0
    while (Date.now() < end) for (let i = 0; i < 500; i++) { frame.writeUInt16BE(1024 + n % 60000, 34); w(fd, frame, frame.length, 0); n++ }
    console.log(n)`
  const ifindex = ifindexOf(a.namespace.netns, 'eth0')
  const flooding = a.namespace.exec(
    process.execPath,
    ['-e', program, udp(ends4, 1, 53).toString('hex'), String(ifindex)],
    { timeoutMs: 10_000 },
  )
  let swaps = 0
  const flood = { over: false }
  void flooding.finally(() => (flood.over = true))
  while (!flood.over) {
    await lab.driver.reconcile(swaps % 2 === 0 ? two : one, attachments)
    swaps += 1
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const sent = Number((await flooding).stdout)
  expect(sent).toBeGreaterThan(10_000)
  expect(swaps).toBeGreaterThan(4)
  expect(sockets.b.receiveAll().filter((frame) => frame.readUInt16BE(12) === 0x0800)).toEqual([])
})

test('invariant 3: other people’s filters on the tap stay, and their clsact with them', async () => {
  const other = await lab.addEndpoint(3, [])
  const tap = other.namespace.tap
  await lab.lab.exec(lab.host, 'tc', ['qdisc', 'add', 'dev', tap, 'clsact'])
  await lab.lab.exec(lab.host, 'tc', [
    'filter',
    'add',
    'dev',
    tap,
    'ingress',
    'protocol',
    'all',
    'prio',
    '7',
    'u32',
    'match',
    'u32',
    '0',
    '0',
    'flowid',
    '1:1',
  ])
  const filters = async (): Promise<string> =>
    (await lab.lab.exec(lab.host, 'tc', ['filter', 'show', 'dev', tap, 'ingress'])).stdout
  const before = await filters()
  expect(before).toContain('u32')
  await lab.driver.reconcile(planOf(open), [a.attachment(), b.attachment(), other.attachment()])
  expect(await filters()).toContain('from_vm')
  expect(await filters()).toContain('u32')
  await lab.driver.reconcile(planOf(open), [a.attachment(), b.attachment()])
  expect(await filters()).toBe(before)
  const qdiscs = async (device: string): Promise<string> =>
    (await lab.lab.exec(lab.host, 'tc', ['qdisc', 'show', 'dev', device])).stdout
  expect(await qdiscs(tap)).toContain('clsact')
  // our own goes with the last of our filters
  const own = a.namespace.tap
  expect(await qdiscs(own)).toContain('clsact')
  await lab.driver.reconcile(planOf(open), [b.attachment()])
  expect(await qdiscs(own)).not.toContain('clsact')
  await lab.driver.reconcile(planOf(open), [a.attachment(), b.attachment()])
})

test('what is changed behind our back is seen and repaired', async () => {
  const plan = planOf(open)
  await enforce(plan, 'direct')
  expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
  await lab.lab.exec(lab.host, 'tc', ['filter', 'delete', 'dev', a.namespace.tap, 'ingress'])
  const seen = await lab.driver.verify()
  expect(seen).toEqual({ known: true, value: { drift: [`${a.namespace.tap}: no filter on ingress`] } })
  await enforce(plan, 'direct')
  expect(await lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
})

test('connections whose time is over are collected, and their end is told', async () => {
  await enforce(planOf(open), 'direct')
  const client = fresh()
  expect(await toB(udp(ends4, client, 53))).toBe(true)
  lab.events()
  lab.driver.collectExpired()
  expect(told('flow-end')).toEqual([])
  // as if last seen when the machine started
  changeHalfOpen(client, (value) => value.writeBigUInt64LE(1n))
  const collected = lab.driver.collectExpired()
  expect(collected).toEqual({ known: true, value: 1 })
  const ends = told('flow-end').filter((event) => event.kind === 'flow-end' && event.tuple.sourcePort === client)
  expect(ends.map((event) => event.kind === 'flow-end' && [event.end, event.packets])).toEqual([
    ['timeout', 1],
    ['timeout', 1],
  ])
  expect(await toA(udp(swap(ends4), 53, client))).toBe(false)
})

test('the programs’ clock runs as fast as the machine’s', async () => {
  await enforce(planOf(open), 'direct')
  const client = fresh()
  const lastNs = async (): Promise<bigint> => {
    expect(await toB(udp(ends4, client, 53))).toBe(true)
    let read = 0n
    changeHalfOpen(client, (value) => (read = value.readBigUInt64LE(0)))
    return read
  }
  const begunNs = process.hrtime.bigint()
  const first = await lastNs()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const passedMs = Number((await lastNs()) - first) / 1e6
  const passedAtMostMs = Number(process.hrtime.bigint() - begunNs) / 1e6
  // a tick lasts 10 ms at most
  expect(passedMs).toBeGreaterThan(285)
  expect(passedMs).toBeLessThan(passedAtMostMs + 15)
})

/** Changes what the table says about the flows with this client port that nobody answered. */
function changeHalfOpen(client: number, change: (value: Buffer) => unknown): void {
  const bpf = loadLibbpf()
  if (!bpf.known) throw new Error(bpf.reason)
  const fd = bpf.value.openPin(`${pinDirectory(lab.pinRoot)}/conn_new`)
  const all = bpf.value.readAll(fd, layout.conn.key, layout.conn.value, 4096)
  if (typeof all === 'number') throw new Error(`errno ${-all}`)
  for (let i = 0; i < all.count; i += 1) {
    const key = all.keys.subarray(i * layout.conn.key, (i + 1) * layout.conn.key)
    if (key.readUInt16LE(32) !== client && key.readUInt16LE(34) !== client) continue
    const value = Buffer.from(all.values.subarray(i * layout.conn.value, (i + 1) * layout.conn.value))
    change(value)
    bpf.value.update(fd, key, value)
  }
  bpf.value.closeFd(fd)
}
