/** The verdicts that are neither plain allow nor plain drop; and what of them only this driver does: direct delivery, log rates, budgets. */
import {
  aIn,
  aOut,
  bIn,
  bothFamilies,
  bOut,
  ends4,
  planOfTwo,
  ruleRef,
  swap,
  tcp,
  testVerdicts,
  udp,
  useVerdictBench,
  type PlanVerdict,
} from '@hyperward/datapath-testkit'
import { execOk } from '@hyperward/os'
import { describe, expect, test } from 'vitest'

import { createDatapathLab } from './testing/datapath-lab.ts'

describe('as every driver', () => {
  testVerdicts({ open: () => createDatapathLab('hwk3'), deliveries: ['direct', 'bridge'], followsConnections: true })
})

describe('of this driver', () => {
  const bench = useVerdictBench(() => createDatapathLab('hwk4'))
  test('without state at both sides a packet is handed over without the bridge; with it at one, it is not', async () => {
    const detach = (...words: string[]): Promise<unknown> =>
      execOk('ip', ['-n', bench.lab.host, 'link', 'set', bench.b.namespace.tap, ...words])
    await bench.enforce([aOut, aIn, bOut, bIn], 'direct')
    await detach('nomaster')
    try {
      for (const ends of bothFamilies) {
        expect(await bench.toB(tcp(ends, bench.fresh(), 80, { flags: 'PA' }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, bench.fresh(), { flags: 'PA' }))).toBe(true)
      }
      await bench.enforce([aOut, ['ingress', 200, 100, 1, 'allow', 'tcp-in']], 'direct')
      expect(await bench.toB(tcp(ends4, bench.fresh(), 80))).toBe(false)
    } finally {
      await detach('master', 'br0')
    }
  })

  test('a rule without state and with log tells its packets, as often as its rate allows', async () => {
    await bench.enforce([['egress', 100, 200, 1, 'allow-stateless', 'told', 2], aIn, bOut, bIn], 'direct')
    bench.lab.events()
    const client = bench.fresh()
    for (let i = 0; i < 5; i += 1) bench.sockets.a.send(tcp(ends4, client, 80, { flags: 'PA' }))
    expect(bench.lab.events()).toMatchObject(
      Array.from({ length: 2 }, () => ({
        kind: 'flow-start',
        rule: ruleRef('told'),
        direction: 'egress',
        packets: 1,
        tuple: { source: ends4.source, sourcePort: client, destinationPort: 80 },
      })),
    )
  })

  test('what monitors is told within a budget of its own, and the rest is counted', async () => {
    await bench.enforce([['egress', 100, 200, 1, 'allow', 'tcp-out', false, ['no-web', 'drop']], bIn], 'direct')
    await new Promise((resolve) => setTimeout(resolve, 1100))
    bench.lab.events()
    const before = (await bench.counts('no-web')).hits
    for (let i = 0; i < 80; i += 1) bench.sockets.a.send(tcp(ends4, bench.fresh(), 80))
    const events = bench.lab.events()
    expect(events.filter((event) => event.kind === 'monitor').length).toBe(50)
    expect(events.filter((event) => event.kind === 'flow-start').length).toBe(80)
    expect((await bench.counts('no-web')).hits - before).toBe(80)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    bench.sockets.a.send(tcp(ends4, bench.fresh(), 80))
    expect(bench.told('monitor')).toMatchObject([{ suppressed: 30 }])
  })

  test('a log rate bounds what is told of a rule on this host, whichever endpoint it is at; the rest is counted and told', async () => {
    const both: PlanVerdict[] = [
      ['egress', 100, 200, 1, 'allow', 'tcp-out', 3],
      ['egress', 200, 100, 1, 'allow', 'tcp-out', 3],
      ['egress', 100, 200, 2, 'drop', 'no-dns', 2],
      bIn,
      aIn,
    ]
    await bench.enforce(both, 'direct')
    bench.lab.events()
    const hits = (await bench.counts('tcp-out')).hits
    const opened: number[] = []
    for (let i = 0; i < 5; i += 1) {
      opened.push(bench.fresh())
      bench.sockets.a.send(tcp(ends4, opened.at(-1) ?? 0, 80))
      bench.sockets.b.send(tcp(swap(ends4), bench.fresh(), 80))
      bench.sockets.a.send(udp(ends4, bench.fresh(), 53))
    }
    const events = bench.lab.events()
    expect(events.filter((event) => event.kind === 'flow-start').length).toBe(3)
    expect(events.filter((event) => event.kind === 'drop').length).toBe(2)
    expect((await bench.counts('tcp-out')).hits - hits).toBe(10)
    // of what was told the end is told, and of nothing else
    for (const client of opened) bench.sockets.a.send(tcp(ends4, client, 80, { flags: 'R', seq: 1001 }))
    const ended = bench.told('flow-end').map((event) => event.tuple.sourcePort)
    const begun = events.flatMap((event) => (event.kind === 'flow-start' ? [event.tuple.sourcePort] : []))
    expect(ended).toEqual(begun.filter((one) => opened.includes(one)))
    await new Promise((resolve) => setTimeout(resolve, 1100))
    bench.sockets.a.send(tcp(ends4, bench.fresh(), 80))
    bench.sockets.a.send(udp(ends4, bench.fresh(), 53))
    const later = bench.lab.events()
    expect(later.find((event) => event.kind === 'flow-start')).toMatchObject({ suppressed: 7 })
    expect(later.find((event) => event.kind === 'drop')).toMatchObject({ suppressed: 3 })
  })

  test('log rates and monitor rules are read back: a change of one is a change, and nothing else is', async () => {
    const row = (rate: number, monitor: string): PlanVerdict[] => [
      ['egress', 100, 200, 1, 'allow', 'tcp-out', rate, [monitor, 'drop', 7]],
    ]
    await bench.enforce(row(3, 'no-web'), 'direct')
    const same = await bench.lab
      .restart()
      .reconcile(planOfTwo(row(3, 'no-web')), [bench.a.attachment(), bench.b.attachment()])
    expect(same).toMatchObject({ generation: 'kept' })
    expect(await bench.lab.driver.verify()).toEqual({ known: true, value: { drift: [] } })
    for (const changed of [row(4, 'no-web'), row(4, 'other')]) {
      const report = await bench.lab.driver.reconcile(planOfTwo(changed), [bench.a.attachment(), bench.b.attachment()])
      expect(report).toMatchObject({ outcome: 'applied', steps: 1 })
    }
  })
})
