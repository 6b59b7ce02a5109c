/** Two endpoints and the helpers that tests of verdicts are written with, whichever driver judges. */
import type { DatapathEvent, HostPlan } from '@hyperward/model'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'

import type { DatapathBench, Delivery, LabEndpoint } from './datapath-bench.ts'
import { protocol, type Ends } from './frames.ts'
import { endpointId, makePlan, ruleRef, type PlanVerdict } from './make-plan.ts'
import { openRawSocket, type RawSocket } from './raw-socket.ts'

export const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
export const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }
export const bothFamilies = [ends4, ends6] as const

/** Class 1 = tcp/80, 2 = udp/53, 3 = tcp and udp ports of clients, 4 = echo requests, 5 = echo replies, 6 = unreachable. */
export function planOfTwo(verdicts: readonly PlanVerdict[]): HostPlan {
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
export const freely = (direction: 'ingress' | 'egress', local: number, peer: number, name: string): PlanVerdict => [
  direction,
  local,
  peer,
  0,
  'allow-stateless',
  name,
]
export const aOut = freely('egress', 100, 200, 'a-out')
export const aIn = freely('ingress', 100, 200, 'a-in')
export const bOut = freely('egress', 200, 100, 'b-out')
export const bIn = freely('ingress', 200, 100, 'b-in')

export interface VerdictBench<L extends DatapathBench> {
  readonly lab: L
  readonly a: LabEndpoint
  readonly b: LabEndpoint
  readonly sockets: { readonly a: RawSocket; readonly b: RawSocket }
  /** A port that no frame had before. */
  fresh(): number
  lastPort(): number
  enforce(verdicts: readonly PlanVerdict[], delivery: Delivery): Promise<void>
  /** Whether exactly that frame arrives. */
  toB(frame: Buffer): Promise<boolean>
  toA(frame: Buffer): Promise<boolean>
  told<K extends DatapathEvent['kind']>(kind: K): (DatapathEvent & { readonly kind: K })[]
  /** Why the last frame was dropped, and at whose tap. */
  lastDrop(): unknown
  counts(name: string): Promise<{ readonly packets: number; readonly hits: number }>
}

/** For the whole of a test file: opened before its tests and closed after them. */
export function useVerdictBench<L extends DatapathBench>(open: () => Promise<L>): VerdictBench<L> {
  let opened: { readonly lab: L; readonly a: LabEndpoint; readonly b: LabEndpoint } | null = null
  let raw: { readonly a: RawSocket; readonly b: RawSocket } | null = null
  let port = 20_000

  beforeAll(async () => {
    const lab = await open()
    const a = await lab.addEndpoint(1, [])
    const b = await lab.addEndpoint(2, [])
    opened = { lab, a, b }
    raw = { a: openRawSocket(a.namespace.netns, 'eth0'), b: openRawSocket(b.namespace.netns, 'eth0') }
  })
  afterAll(async () => {
    for (const socket of Object.values(raw ?? {})) socket.close()
    await opened?.lab.close()
  })
  beforeEach(() => {
    bench.lab.events()
  })

  const there = <T>(one: T | null): T => {
    if (one === null) throw new Error('the bench is not open')
    return one
  }
  async function passes(from: RawSocket, to: RawSocket, frame: Buffer): Promise<boolean> {
    to.receiveAll()
    from.send(frame)
    for (let turn = 0; turn < 4; turn += 1) {
      if (to.receiveAll().some((one) => one.equals(frame))) return true
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return false
  }

  const bench: VerdictBench<L> = {
    get lab() {
      return there(opened).lab
    },
    get a() {
      return there(opened).a
    },
    get b() {
      return there(opened).b
    },
    get sockets() {
      return there(raw)
    },
    fresh: () => (port += 1),
    lastPort: () => port,
    async enforce(verdicts, delivery) {
      const attachments = [bench.a.attachment(delivery), bench.b.attachment(delivery)]
      const report = await bench.lab.driver.reconcile(planOfTwo(verdicts), attachments)
      expect(report.reason).toBe(null)
      await new Promise((resolve) => setTimeout(resolve, 1))
    },
    toB: (frame) => passes(bench.sockets.a, bench.sockets.b, frame),
    toA: (frame) => passes(bench.sockets.b, bench.sockets.a, frame),
    told: <K extends DatapathEvent['kind']>(kind: K) =>
      bench.lab.events().filter((event): event is DatapathEvent & { readonly kind: K } => event.kind === kind),
    lastDrop() {
      const drop = bench.told('drop').at(-1)
      return drop === undefined ? null : [drop.reason, drop.endpoint === endpointId(1) ? 'a' : 'b']
    },
    async counts(name) {
      const counters = await bench.lab.counters()
      const { packets = 0, hits = 0 } = counters.find(({ rule }) => rule === ruleRef(name)) ?? {}
      return { packets, hits }
    },
  }
  return bench
}
