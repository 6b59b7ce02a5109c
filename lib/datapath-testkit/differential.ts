/** Random plans: the reference is core/model/host-plan.ts read literally, the other side is the loaded kernel, asked by frames. */
import type { Action, Direction, HostPlan } from '@hyperward/model'
import { prefixContains, toAddressValue, toPrefixValue } from '@hyperward/model'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { BenchOptions, DatapathBench, LabEndpoint } from './datapath-bench.ts'
import { echo, ip, protocol, sctp, tcp, udp, type Ends } from './frames.ts'
import { address, makePlan, type PlanVerdict } from './make-plan.ts'
import { openRawSocket, type RawSocket } from './raw-socket.ts'

const actions: readonly Action[] = ['allow', 'allow', 'allow', 'drop', 'reject', 'inspect']
const directions: readonly Direction[] = ['egress', 'ingress']
const identity = fc.integer({ min: 1, max: 4 })

const plans = fc
  .record({
    one: identity,
    two: identity,
    inTable: fc.boolean(),
    /** Most plans let something through, else there is little to compare. */
    open: fc.integer({ min: 0, max: 3 }),
    networks: fc.uniqueArray(
      fc.tuple(
        fc.constantFrom('10.9.0.0/16', '10.0.0.0/8', '10.9.0.2/31', '::/0', 'fd00:9::/32', '0.0.0.0/0'),
        identity,
      ),
      { selector: ([prefix]) => prefix, maxLength: 4 },
    ),
    services: fc.subarray([
      [protocol.tcp, 80, 90, 1],
      [protocol.tcp, 91, 91, 2],
      [protocol.udp, 53, 53, 1],
      [protocol.udp, 54, 65_535, 2],
      [protocol.sctp, 0, 65_535, 2],
      [protocol.icmp, 8, 8, 1],
      [protocol.icmpv6, 128, 128, 2],
      [protocol.gre, 0, 0, 1],
    ] as const),
    rows: fc.uniqueArray(
      fc.tuple(
        fc.constantFrom(...directions),
        identity,
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 2 }),
        fc.constantFrom(...actions),
      ),
      { selector: (row) => row.slice(0, 4).join('/'), minLength: 6, maxLength: 30 },
    ),
  })
  .map(({ one, two, inTable, open, networks, services, rows }) => {
    const full = makePlan({
      endpoints: [
        { number: 1, tenant: 'acme', identity: one, addresses: ['10.9.0.1', 'fd00:9::1'] },
        { number: 2, tenant: 'acme', identity: two, addresses: ['10.9.0.2', 'fd00:9::2'] },
      ],
      networks,
      services: services.map((row) => [row[0], row[1], row[2], row[3]]),
      verdicts: [
        ...rows.map((row, i): PlanVerdict => [...row, `r${i}`]),
        ...(open === 0 ? [] : wildcards(one, two).filter((row) => !rows.some((other) => sameKey(other, row)))),
      ],
    })
    // an address without an identity of its own is judged by its network
    return inTable ? full : { ...full, sections: { ...full.sections, addresses: full.sections.addresses.slice(0, 2) } }
  })

function wildcards(one: number, two: number): PlanVerdict[] {
  return [
    ['egress', one, 0, 0, 'allow', 'open-out'],
    ['ingress', two, 0, 0, 'allow', 'open-in'],
  ]
}

function sameKey(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.slice(0, 4).join('/') === b.slice(0, 4).join('/')
}

const ends4: Ends = { from: 1, to: 2, source: '10.9.0.1', destination: '10.9.0.2' }
const ends6: Ends = { from: 1, to: 2, source: 'fd00:9::1', destination: 'fd00:9::2' }

let port = 1024

export interface DifferentialOptions extends BenchOptions {
  readonly title: string
  readonly runs: number
}

export function testDifferentially(options: DifferentialOptions): void {
  let lab: DatapathBench
  let a: LabEndpoint
  let b: LabEndpoint
  let sender: RawSocket
  let receiver: RawSocket

  beforeAll(async () => {
    lab = await options.open()
    a = await lab.addEndpoint(1, [])
    b = await lab.addEndpoint(2, [])
    sender = openRawSocket(a.namespace.netns, 'eth0')
    receiver = openRawSocket(b.namespace.netns, 'eth0')
  })
  afterAll(async () => {
    sender.close()
    receiver.close()
    await lab.close()
  })

  test(options.title, async () => {
    let passed = 0
    let dropped = 0
    await fc.assert(
      fc.asyncProperty(plans, fc.boolean(), async (plan, direct) => {
        const report = await lab.driver.reconcile(
          plan,
          [a, b].map((one) => one.attachment(direct && options.deliveries.includes('direct') ? 'direct' : 'bridge')),
        )
        expect(report.outcome).not.toBe('failed')
        for (const [ends, proto, value, frame] of probes()) {
          const wanted =
            lookup(plan, 'egress', ends.source, ends.destination, proto, value) === 'allow' &&
            lookup(plan, 'ingress', ends.destination, ends.source, proto, value) === 'allow'
          receiver.receiveAll()
          sender.send(frame)
          let arrived = false
          for (let turn = 0; turn < (wanted ? 20 : 1) && !arrived; turn += 1) {
            arrived = receiver.receiveAll().some((one) => one.equals(frame))
            if (!arrived && wanted) await new Promise((resolve) => setTimeout(resolve, 1))
          }
          expect([proto, value, ends.source, arrived]).toEqual([proto, value, ends.source, wanted])
          if (wanted) passed += 1
          else dropped += 1
        }
      }),
      { numRuns: options.runs },
    )
    expect(passed).toBeGreaterThan(20)
    expect(dropped).toBeGreaterThan(20)
  })
}

function* probes(): Generator<readonly [Ends, number, number, Buffer]> {
  for (const ends of [ends4, ends6]) {
    for (const value of [79, 80, 90, 91, 92]) yield [ends, protocol.tcp, value, tcp(ends, (port += 1), value)]
    for (const value of [52, 53, 54, 65_535]) yield [ends, protocol.udp, value, udp(ends, (port += 1), value)]
    yield [ends, protocol.sctp, 7, sctp(ends, (port += 1), 7)]
    yield [
      ends,
      ends === ends4 ? protocol.icmp : protocol.icmpv6,
      ends === ends4 ? 8 : 128,
      echo(ends, 'request', (port += 1)),
    ]
    if (port > 60_000) port = 1024
  }
  // no ports: one plan's entry would be judged again under the next, and told as revoked, but never passes wrongly
  yield [ends4, protocol.gre, 0, ip(ends4, protocol.gre, Buffer.alloc(12))]
}

/** host-plan.ts, word by word. */
function lookup(
  plan: HostPlan,
  direction: Direction,
  local: string,
  peer: string,
  proto: number,
  value: number,
): Action {
  const { addresses, networks, services, verdicts } = plan.sections
  const identityOf = (text: string): number => {
    const exact = addresses.find((row) => row.address === text)
    if (exact !== undefined) return exact.identity
    const matching = networks
      .map((row) => ({ prefix: toPrefixValue(row.prefix), identity: row.identity }))
      .filter((row) => prefixContains(row.prefix, toAddressValue(address(text))))
      .sort((x, y) => y.prefix.length - x.prefix.length)
    return matching[0]?.identity ?? 1
  }
  const serviceClass =
    services.find((row) => row.protocol === proto && row.from <= value && value <= row.to)?.class ?? 0
  for (const [wantedPeer, wantedClass] of [
    [identityOf(peer), serviceClass],
    [identityOf(peer), 0],
    [0, serviceClass],
    [0, 0],
  ]) {
    const row = verdicts.find(
      (one) =>
        one.direction === direction &&
        one.local === identityOf(local) &&
        one.peer === wantedPeer &&
        one.class === wantedClass,
    )
    if (row !== undefined) return row.action
  }
  return 'drop'
}
