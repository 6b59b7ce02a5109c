/**
 * Random conversations under random plans that change amid them, against a model of two sides that each remember what they admitted: with state, without,
 * and refused, each by its own verdicts. UDP, so that every packet may begin.
 */
import type { Action, Direction, HostPlan } from '@hyperward/model'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createDatapathLab, type DatapathLab, type LabEndpoint } from './testing/datapath-lab.ts'
import { protocol, swap, udp, type Ends } from '@hyperward/datapath-testkit'
import { makePlan, type PlanVerdict } from '@hyperward/datapath-testkit'
import { openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

const seed = 20_261_124
const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const actions: readonly (Action | null)[] = ['allow', 'allow', 'allow-stateless', 'drop', 'inspect', null]
/** Ports of class 1, 2, 3: 20000, 30000, 40000 and up; each run has its own of each. */
const classes = [1, 2, 3] as const
type PortClass = (typeof classes)[number]
type Who = 'a' | 'b'
type Rows = Readonly<Record<`${Who} ${Direction} ${PortClass}`, Action | null>>

interface Packet {
  readonly kind: 'packet'
  readonly from: Who
  readonly source: PortClass
  readonly destination: PortClass
}
type Turn = Packet | { readonly kind: 'plan'; readonly rows: Rows }

const keys = (['a', 'b'] as const).flatMap((who) =>
  (['egress', 'ingress'] as const).flatMap((direction) => classes.map((one) => `${who} ${direction} ${one}` as const)),
)
const rows = fc
  .tuple(...keys.map(() => fc.constantFrom(...actions)))
  // as: one for each key
  .map((picked) => Object.fromEntries(keys.map((key, i) => [key, picked[i] ?? null])) as Rows)
const turn: fc.Arbitrary<Turn> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('packet' as const),
      from: fc.constantFrom('a' as const, 'b' as const),
      source: fc.constantFrom(...classes),
      destination: fc.constantFrom(...classes),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('plan' as const), rows }) },
)

let lab: DatapathLab
let a: LabEndpoint
let b: LabEndpoint
let sockets: Readonly<Record<Who, RawSocket>>
let run = 0

beforeAll(async () => {
  lab = await createDatapathLab('hwk3c', { halfOpenConnections: 8192, connections: 8192 })
  a = await lab.addEndpoint(1, [])
  b = await lab.addEndpoint(2, [])
  sockets = { a: openRawSocket(a.namespace.netns, 'eth0'), b: openRawSocket(b.namespace.netns, 'eth0') }
})
afterAll(async () => {
  for (const socket of Object.values(sockets)) socket.close()
  await lab.close()
})

test('each side keeps what it admitted, its own way round, and nothing else, whatever the plan becomes', async () => {
  let passed = 0
  let dropped = 0
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.array(turn, { minLength: 40, maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      async (first, turns, direct, oneTenant) => {
        run += 1
        const model = createModel(direct && oneTenant, oneTenant)
        let rules = first
        await enforce(rules, direct, oneTenant)
        const done: unknown[] = []
        for (const one of turns) {
          done.push(one)
          if (one.kind === 'plan') {
            rules = one.rows
            await enforce(rules, direct, oneTenant)
            continue
          }
          const wanted = model.send(rules, one)
          const arrived = await send(one, wanted)
          expect([direct, oneTenant, first, done, arrived]).toEqual([direct, oneTenant, first, done, wanted])
          if (wanted) passed += 1
          else dropped += 1
        }
      },
    ),
    { seed, numRuns: 45, endOnFailure: true },
  )
  expect(passed).toBeGreaterThan(150)
  expect(dropped).toBeGreaterThan(150)
})

async function enforce(rules: Rows, direct: boolean, oneTenant: boolean): Promise<void> {
  const attachments = [a, b].map((one) => one.attachment(direct ? 'direct' : 'bridge'))
  const report = await lab.driver.reconcile(toPlan(rules, oneTenant), attachments)
  expect(report.reason).toBe(null)
}

function toPlan(rules: Rows, oneTenant: boolean): HostPlan {
  const identities = { a: 100, b: 200 } as const
  return makePlan({
    endpoints: [
      { number: 1, tenant: 'acme', identity: identities.a, addresses: [ends4.source] },
      { number: 2, tenant: oneTenant ? 'acme' : 'globex', identity: identities.b, addresses: [ends4.destination] },
    ],
    services: classes.map((one) => [protocol.udp, 10_000 + one * 10_000, 19_999 + one * 10_000, one]),
    verdicts: keys.flatMap((key): PlanVerdict[] => {
      const action = rules[key]
      // as: made of these three words above
      const [who, direction, one] = key.split(' ') as [Who, Direction, string]
      const [local, peer] = who === 'a' ? [identities.a, identities.b] : [identities.b, identities.a]
      return action === null
        ? []
        : [[direction, local, peer, Number(one), action, `${who}-${direction}-${one}-${action}`]]
    }),
  })
}

async function send({ from, source, destination }: Packet, wanted: boolean): Promise<boolean> {
  const at = (one: PortClass): number => 10_000 + one * 10_000 + run
  const frame = udp(from === 'a' ? ends4 : swap(ends4), at(source), at(destination))
  const receiver = sockets[from === 'a' ? 'b' : 'a']
  receiver.receiveAll()
  sockets[from].send(frame)
  for (let turns = 0; turns < (wanted ? 20 : 1); turns += 1) {
    if (receiver.receiveAll().some((one) => one.equals(frame))) return true
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return receiver.receiveAll().some((one) => one.equals(frame))
}

interface Model {
  /** Whether the packet arrives. */
  send(rules: Rows, packet: Packet): boolean
}

/** What a side judged when it admitted: its own direction, and the port that was asked for. */
interface Admission {
  readonly direction: Direction
  readonly port: PortClass
}

function createModel(handsOver: boolean, oneTenant: boolean): Model {
  /** By conversation; both sides share an entry within a tenant, so that one side's refusal ends it for both. */
  const admissions = new Map<string, Partial<Record<Who, Admission>>>()
  const verdictOf = (rules: Rows, who: Who, { direction, port }: Admission): Action =>
    rules[`${who} ${direction} ${port}`] ?? 'drop'

  const passes = (rules: Rows, who: Who, key: string, asked: Admission): boolean => {
    const entry = admissions.get(key) ?? {}
    const held = entry[who]
    if (held !== undefined) {
      const action = verdictOf(rules, who, held)
      if (action === 'allow') return true
      if (action !== 'allow-stateless') {
        admissions.set(key, oneTenant ? {} : { ...entry, [who]: undefined })
        return false
      }
      admissions.set(key, { ...entry, [who]: undefined })
    }
    const action = verdictOf(rules, who, asked)
    if (action === 'allow') admissions.set(key, { ...admissions.get(key), [who]: asked })
    return action === 'allow' || action === 'allow-stateless'
  }

  return {
    send(rules, { from, source, destination }) {
      const to = from === 'a' ? 'b' : 'a'
      const key = from === 'a' ? `${source} ${destination}` : `${destination} ${source}`
      const out: Admission = { direction: 'egress', port: destination }
      const inward: Admission = { direction: 'ingress', port: destination }
      const entry = admissions.get(key)
      const isNew = entry?.a === undefined && entry?.b === undefined
      const refuses = !['allow', 'allow-stateless'].includes(verdictOf(rules, to, inward))
      // handed over, both verdicts are taken before anything is remembered
      if (handsOver && isNew && verdictOf(rules, from, out) === 'allow' && refuses) return false
      return passes(rules, from, key, out) && passes(rules, to, key, inward)
    },
  }
}
