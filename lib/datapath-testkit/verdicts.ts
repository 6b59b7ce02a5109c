/** The verdicts that are neither plain allow nor plain drop, asked of the loaded kernel by frames: allow-stateless, inspect, rules in monitor mode. */
import { expect, test } from 'vitest'

import type { BenchOptions } from './datapath-bench.ts'
import { echo, icmp, protocol, quoted, swap, tcp, udp, type Ends } from './frames.ts'
import { endpointId, ruleRef, type PlanVerdict } from './make-plan.ts'
import { aIn, aOut, bIn, bothFamilies, bOut, ends4, ends6, useVerdictBench } from './verdict-bench.ts'

export interface VerdictOptions extends BenchOptions {
  /** Whether the driver tells the end of each connection, its beginning once, and counts its packets; else it counts and tells what was judged. */
  readonly followsConnections: boolean
}

export function testVerdicts(options: VerdictOptions): void {
  const bench = useVerdictBench(options.open)
  for (const delivery of options.deliveries) {
    test(`without state at both sides every packet passes by itself, also amid a TCP connection (${delivery})`, async () => {
      await bench.enforce([aOut, aIn, bOut, bIn], delivery)
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        const before = [await bench.counts('a-out'), await bench.counts('b-in')]
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'PA', seq: 7, ack: 9, text: 'amid' }))).toBe(true)
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'R', seq: 8 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 1, ack: 2 }))).toBe(true)
        expect(await bench.toA(udp(swap(ends), 53, client))).toBe(true)
        expect(await bench.toA(echo(swap(ends), 'reply', 7))).toBe(true)
        for (const [i, name] of ['a-out', 'b-in'].entries()) {
          expect(await bench.counts(name)).toEqual({
            packets: (before[i]?.packets ?? 0) + 2,
            hits: (before[i]?.hits ?? 0) + 2,
          })
        }
      }
      // no entry was made: nothing began, nothing is left to end
      expect(bench.told('flow-start')).toEqual([])
      await bench.enforce([], delivery)
      expect(await bench.toB(tcp(ends4, bench.fresh(), 80, { flags: 'PA' }))).toBe(false)
      expect(bench.told('flow-end')).toEqual([])
    })

    test(`a reply is judged by itself where the side keeps no state (${delivery})`, async () => {
      await bench.enforce([aOut, bIn, bOut], delivery)
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        expect(await bench.toB(tcp(ends, client, 80))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 1, ack: 1001 }))).toBe(false)
        expect(bench.lastDrop()).toEqual(['no-connection', 'a'])
        // one that looks like a beginning is no reply at all
        expect(await bench.toB(udp(ends, client, 53))).toBe(true)
        expect(await bench.toA(udp(swap(ends), 53, client))).toBe(false)
        expect(bench.lastDrop()).toEqual(['policy', 'a'])
      }
    })

    test(`one side without state leaves the other's connection as it is (${delivery})`, async () => {
      await bench.enforce(
        [aOut, aIn, ['ingress', 200, 100, 1, 'allow', 'tcp-in'], ['ingress', 200, 100, 2, 'allow', 'udp-in']],
        delivery,
      )
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        const before = await bench.counts('tcp-in')
        // not a beginning: passes at a, which keeps no state, and not at b, which does
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'A' }))).toBe(false)
        expect(bench.lastDrop()).toEqual(['no-connection', 'b'])
        expect(await bench.toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'FA', seq: 5001, ack: 1001 }))).toBe(true)
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'FA', seq: 1001, ack: 5002 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5002, ack: 1002 }))).toBe(true)
        const after = await bench.counts('tcp-in')
        expect(after.hits).toBe(before.hits + 1)
        if (options.followsConnections) expect(after.packets).toBe(before.packets + 6)
        const end = bench.told('flow-end')
        if (options.followsConnections)
          expect(end).toMatchObject([{ end: 'closed', endpoint: endpointId(2), packets: 6, rule: ruleRef('tcp-in') }])
        // many replies to one question: the answering side's entry is not touched by the other's verdicts
        const asks = bench.fresh()
        expect(await bench.toB(udp(ends, asks, 53))).toBe(true)
        for (const text of ['one', 'two', 'three']) expect(await bench.toA(udp(swap(ends), 53, asks, text))).toBe(true)
        expect(bench.told('flow-start').map((event) => event.rule)).toEqual([ruleRef('udp-in')])
      }
    })

    test(`the side that asks keeps state, the answering one does not (${delivery})`, async () => {
      await bench.enforce(
        [['egress', 100, 200, 1, 'allow', 'tcp-out'], ['egress', 100, 200, 2, 'allow', 'udp-out'], bIn, bOut],
        delivery,
      )
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        expect(await bench.toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
        // b says what it likes, a takes what belongs to its connection
        expect(await bench.toA(tcp(swap(ends), 80, bench.fresh(), { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(false)
        expect(bench.lastDrop()).toEqual(['no-connection', 'a'])
        expect(await bench.toA(udp(swap(ends), 53, client))).toBe(false)
        expect(await bench.toB(udp(ends, client, 53))).toBe(true)
        expect(await bench.toA(udp(swap(ends), 53, client))).toBe(true)
      }
    })

    test(`each side may admit a UDP conversation its own way round (${delivery})`, async () => {
      await bench.enforce(
        [aOut, ['ingress', 100, 200, 3, 'allow', 'a-takes'], ['ingress', 200, 100, 2, 'allow', 'udp-in']],
        delivery,
      )
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        bench.lab.events()
        expect(await bench.toB(udp(ends, client, 53))).toBe(true)
        // b's entry stands for b alone; a takes the answer as a conversation that b began
        for (const text of ['one', 'two']) expect(await bench.toA(udp(swap(ends), 53, client, text))).toBe(true)
        expect(await bench.toB(udp(ends, client, 53))).toBe(true)
        expect(bench.told('flow-start')).toMatchObject([
          { endpoint: endpointId(2), direction: 'ingress', tuple: { sourcePort: client, destinationPort: 53 } },
          { endpoint: endpointId(1), direction: 'ingress', tuple: { sourcePort: 53, destinationPort: client } },
        ])
        // and loses it by a rule on that, not by one on its own asking
        await bench.enforce([aOut, ['ingress', 200, 100, 2, 'allow', 'udp-in']], delivery)
        expect(await bench.toA(udp(swap(ends), 53, client))).toBe(false)
        expect(bench.lastDrop()).toEqual(['revoked', 'a'])
        await bench.enforce(
          [aOut, ['ingress', 100, 200, 3, 'allow', 'a-takes'], ['ingress', 200, 100, 2, 'allow', 'udp-in']],
          delivery,
        )
      }
    })

    test(`from state to none and back: what has state no more is judged by itself, and what gets state needs a beginning (${delivery})`, async () => {
      const stateful: PlanVerdict[] = [
        ['egress', 100, 200, 1, 'allow', 'tcp-out'],
        ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
      ]
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        const onward = (text: string): Buffer => tcp(ends, client, 80, { flags: 'PA', seq: 1001, ack: 5001, text })
        await bench.enforce(stateful, delivery)
        expect(await bench.toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
        expect(await bench.toB(onward(''))).toBe(true)
        bench.lab.events()
        // a's verdict alone: b's part of the entry lives on
        await bench.enforce(
          [['egress', 100, 200, 1, 'allow-stateless', 'tcp-out'], aIn, ['ingress', 200, 100, 1, 'allow', 'tcp-in']],
          delivery,
        )
        expect(await bench.toB(onward('x'))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5001, ack: 1001 }))).toBe(true)
        const ended = bench.told('flow-end')
        if (options.followsConnections) expect(ended).toMatchObject([{ end: 'revoked', endpoint: endpointId(1) }])
        // without a rule for the answers they end
        await bench.enforce(
          [
            ['egress', 100, 200, 1, 'allow-stateless', 'tcp-out'],
            ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
          ],
          delivery,
        )
        expect(await bench.toB(onward('y'))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'A', seq: 5001, ack: 1001 }))).toBe(false)
        expect(bench.lastDrop()).toEqual(['no-connection', 'a'])
        // and a's state does not come back without a beginning
        await bench.enforce(stateful, delivery)
        expect(await bench.toB(onward('z'))).toBe(false)
        expect(bench.lastDrop()).toEqual(['no-connection', 'a'])
        expect(await bench.toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
      }
    })

    test(`the answering side may lose its state while the asking one keeps its own (${delivery})`, async () => {
      const out: PlanVerdict = ['egress', 100, 200, 1, 'allow', 'tcp-out']
      for (const ends of bothFamilies) {
        const client = bench.fresh()
        await bench.enforce([out, ['ingress', 200, 100, 1, 'allow', 'tcp-in']], delivery)
        expect(await bench.toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
        bench.lab.events()
        await bench.enforce([out, bIn, bOut], delivery)
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'PA', seq: 5001, ack: 1001, text: 'x' }))).toBe(
          true,
        )
        const ended = bench.told('flow-end')
        if (options.followsConnections)
          expect(ended).toMatchObject([{ end: 'revoked', endpoint: endpointId(2), direction: 'ingress' }])
      }
    })

    test(`a reply to a query is judged by its own type where there is no state (${delivery})`, async () => {
      const asks: PlanVerdict = ['egress', 100, 200, 4, 'allow-stateless', 'ask']
      const answers: PlanVerdict = ['egress', 200, 100, 5, 'allow-stateless', 'answer']
      for (const ends of bothFamilies) {
        await bench.enforce([asks, bIn, answers, ['ingress', 100, 200, 5, 'allow-stateless', 'answered']], delivery)
        expect(await bench.toB(echo(ends, 'request', bench.fresh()))).toBe(true)
        expect(await bench.toA(echo(swap(ends), 'reply', bench.lastPort()))).toBe(true)
        await bench.enforce([asks, bIn, answers, ['ingress', 100, 200, 4, 'allow-stateless', 'asked']], delivery)
        expect(await bench.toA(echo(swap(ends), 'reply', bench.lastPort()))).toBe(false)
        expect(bench.lastDrop()).toEqual(['no-connection', 'a'])
      }
    })

    test(`ICMP errors pass a side without state by a verdict on themselves, and not as part of anything (${delivery})`, async () => {
      const unreachable = (ends: Ends, about: Buffer): Buffer =>
        icmp(swap(ends), ends === ends6 ? 1 : 3, ends === ends6 ? 4 : 3, quoted(about))
      for (const ends of bothFamilies) {
        await bench.enforce(
          [
            ['egress', 100, 200, 2, 'allow-stateless', 'ask'],
            ['ingress', 200, 100, 2, 'allow-stateless', 'asked'],
          ],
          delivery,
        )
        const question = udp(ends, bench.fresh(), 53)
        expect(await bench.toB(question)).toBe(true)
        expect(await bench.toA(unreachable(ends, question))).toBe(false)
        expect(bench.lastDrop()).toEqual(['icmp-error', 'b'])
        await bench.enforce([aOut, bIn, ['egress', 200, 100, 6, 'allow-stateless', 'errors-out']], delivery)
        expect(await bench.toA(unreachable(ends, question))).toBe(false)
        expect(bench.lastDrop()).toEqual(['icmp-error', 'a'])
        // allow with state opens nothing for an error that belongs to no connection
        await bench.enforce([aOut, bIn, bOut, ['ingress', 100, 200, 6, 'allow', 'errors-in']], delivery)
        expect(await bench.toA(unreachable(ends, question))).toBe(false)
        await bench.enforce([aOut, bIn, bOut, ['ingress', 100, 200, 6, 'allow-stateless', 'errors-in']], delivery)
        expect(await bench.toA(unreachable(ends, question))).toBe(true)
        // an address that is not the endpoint's own stays forged
        const forged = { ...ends, source: ends === ends4 ? '10.9.0.77' : 'fd00:9::77' }
        expect(await bench.toB(udp(forged, bench.fresh(), 53))).toBe(false)
        expect(bench.lastDrop()).toEqual(['source-address', 'a'])
      }
    })

    test(`a fragment is dropped, whatever the verdict (${delivery})`, async () => {
      await bench.enforce([aOut, aIn, bOut, bIn], delivery)
      for (const fragment of [0x2000, 0x2001, 0x0001]) {
        expect(await bench.toB(udp(ends4, bench.fresh(), 53, 'x', { fragment }))).toBe(false)
        expect(bench.lastDrop()).toEqual(['fragment', 'a'])
      }
      const header = Buffer.from([protocol.udp, 0, 0, 1, 0, 0, 0, 7])
      expect(await bench.toB(udp(ends6, bench.fresh(), 53, 'x', { nextHeader: 44, extra: header }))).toBe(false)
      expect(bench.lastDrop()).toEqual(['fragment', 'a'])
    })

    test(`what is to be inspected passes nowhere while no gateway is attached, and the rule is told (${delivery})`, async () => {
      for (const ends of bothFamilies) {
        await bench.enforce(
          [
            ['egress', 100, 200, 1, 'inspect', 'look-out'],
            ['ingress', 200, 100, 1, 'allow', 'tcp-in'],
          ],
          delivery,
        )
        const before = await bench.counts('look-out')
        expect(await bench.toB(tcp(ends, bench.fresh(), 80))).toBe(false)
        expect(bench.told('drop')).toMatchObject([
          {
            reason: 'no-gateway',
            rule: ruleRef('look-out'),
            action: 'drop',
            endpoint: endpointId(1),
            direction: 'egress',
          },
        ])
        expect(await bench.counts('look-out')).toEqual({ packets: before.packets + 1, hits: before.hits + 1 })
        await bench.enforce(
          [
            ['egress', 100, 200, 1, 'allow', 'tcp-out'],
            ['ingress', 200, 100, 1, 'inspect', 'look-in'],
          ],
          delivery,
        )
        expect(await bench.toB(tcp(ends, bench.fresh(), 80))).toBe(false)
        expect(bench.told('drop')).toMatchObject([
          { reason: 'no-gateway', rule: ruleRef('look-in'), endpoint: endpointId(2), direction: 'ingress' },
        ])
        // a connection that stood before the rule is cut
        await bench.enforce(
          [
            ['egress', 100, 200, 2, 'allow', 'udp-out'],
            ['ingress', 200, 100, 2, 'allow', 'udp-in'],
          ],
          delivery,
        )
        const client = bench.fresh()
        expect(await bench.toB(udp(ends, client, 53))).toBe(true)
        await bench.enforce(
          [
            ['egress', 100, 200, 2, 'inspect', 'look-out'],
            ['ingress', 200, 100, 2, 'allow', 'udp-in'],
          ],
          delivery,
        )
        expect(await bench.toB(udp(ends, client, 53))).toBe(false)
        expect(bench.lastDrop()).toEqual(['revoked', 'a'])
      }
    })

    test(`a rule in monitor mode is counted and told at each new connection, and decides nothing (${delivery})`, async () => {
      for (const ends of bothFamilies) {
        await bench.enforce(
          [
            ['egress', 100, 200, 1, 'allow', 'tcp-out', false, ['no-web', 'drop']],
            ['ingress', 200, 100, 1, 'allow', 'tcp-in', false, ['look-in', 'inspect']],
            ['egress', 100, 200, 2, 'drop', 'no-dns', false, ['dns', 'allow']],
            ['egress', 100, 200, 4, 'allow-stateless', 'ping', false, ['no-ping', 'reject']],
          ],
          delivery,
        )
        bench.lab.events()
        const names = ['no-web', 'look-in', 'dns', 'no-ping', 'tcp-out'] as const
        const before = await Promise.all(names.map((name) => bench.counts(name)))
        const client = bench.fresh()
        expect(await bench.toB(tcp(ends, client, 80, { seq: 1000 }))).toBe(true)
        expect(await bench.toA(tcp(swap(ends), 80, client, { flags: 'SA', seq: 5000, ack: 1001 }))).toBe(true)
        expect(await bench.toB(tcp(ends, client, 80, { flags: 'A', seq: 1001, ack: 5001 }))).toBe(true)
        const tuple = {
          source: ends.source,
          destination: ends.destination,
          protocol: 6,
          sourcePort: client,
          destinationPort: 80,
        }
        expect(bench.told('monitor')).toMatchObject([
          {
            rule: ruleRef('no-web'),
            action: 'drop',
            direction: 'egress',
            endpoint: endpointId(1),
            tuple,
            packets: 1,
            suppressed: 0,
          },
          { rule: ruleRef('look-in'), action: 'inspect', direction: 'ingress', endpoint: endpointId(2), tuple },
        ])
        expect(await bench.toB(udp(ends, client, 53))).toBe(false)
        const events = bench.lab.events()
        expect(events).toMatchObject([
          { kind: 'monitor', rule: ruleRef('dns'), action: 'allow' },
          { kind: 'drop', rule: ruleRef('no-dns') },
        ])
        expect(await bench.toB(echo(ends, 'request', 5))).toBe(false)
        expect(bench.told('monitor')).toMatchObject([{ rule: ruleRef('no-ping'), action: 'reject' }])
        const after = await Promise.all(names.map((name) => bench.counts(name)))
        const hits = after.map((one, i) => one.hits - (before[i]?.hits ?? 0))
        expect(hits).toEqual([1, 1, 1, 1, 1])
        // of three packets of the connection the monitor rule counts the first
        expect((await bench.counts('no-web')).packets - (before[0]?.packets ?? 0)).toBe(1)
        if (options.followsConnections)
          expect((await bench.counts('tcp-out')).packets - (before[4]?.packets ?? 0)).toBe(3)
      }
    })
  }
}
