/** Numbers and places written in TypeScript against the compiler's reading of bpf/layout.h. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { dropReasons } from '@hyperward/model'
import { exec } from '@hyperward/os'
import { expect, test } from 'vitest'

import { actionNumbers, directionNumbers, layout, protocolClassesAt, servicePlaces } from './render.ts'

const folder = join(import.meta.dirname, 'bpf')

const sizes: Readonly<Record<string, number>> = {
  control: layout.control.value,
  endpoint: layout.endpoint.value,
  address: layout.address.key,
  address_value: layout.address.value,
  network4: layout.network4.key,
  network6: layout.network6.key,
  services: layout.services.value,
  verdict_key: layout.verdict.key,
  verdict_value: layout.verdict.value,
  conn_key: layout.conn.key,
  conn: layout.conn.value,
  counter: layout.counter.value,
  drop_counters: layout.drops.value,
  rule_name: layout.ruleName.value,
  endpoint_name: layout.endpointName.value,
  event: layout.event,
  steering: layout.steering.value,
  gateway: layout.gateway.value,
  gateway_state: layout.gatewayState.value,
  gateway_counter: layout.gatewayCounter.value,
  gateway_seen: layout.gatewaySeen.value,
  gateway_name: layout.gatewayName.value,
  rate_budget: 16,
  budget: 56,
  set_control_args: 16,
  collect_args: 8,
  carry_args: 152,
}

const offsets: readonly (readonly [struct: string, field: string, offset: number | undefined])[] = [
  ['control', 'mark', 8],
  ['control', 'tick_ns', 12],
  ['set_control_args', 'tick_ns', 12],
  ['carry_args', 'side', 144],
  ['conn_key', 'zone', 36],
  ['conn', 'endpoint', 64],
  ['conn', 'epoch', 80],
  ['conn', 'flags', 98],
  ['endpoint', 'zone', 6],
  ['endpoint', 'index', 8],
  ['endpoint', 'segment', 12],
  ['endpoint', 'flags', 16],
  ['address_value', 'ifindex', 4],
  ['network4', 'word', 4],
  ['network6', 'address', 4],
  ['services', 'default_flags', 4],
  ['services', 'default_rate', 8],
  ['services', 'proto', protocolClassesAt],
  ['services', 'icmp', servicePlaces.get(1)?.at],
  ['services', 'icmpv6', servicePlaces.get(58)?.at],
  ['services', 'tcp', servicePlaces.get(6)?.at],
  ['services', 'udp', servicePlaces.get(17)?.at],
  ['services', 'sctp', servicePlaces.get(132)?.at],
  ['verdict_key', 'peer', 4],
  ['verdict_key', 'class', 8],
  ['verdict_key', 'direction', 10],
  ['verdict_value', 'monitor', 4],
  ['verdict_value', 'rate', 8],
  ['verdict_value', 'monitor_rate', 12],
  ['verdict_value', 'action', 16],
  ['verdict_value', 'flags', 17],
  ['verdict_value', 'monitor_action', 18],
  ['counter', 'bytes', 8],
  ['counter', 'hits', 16],
  ['steering', 'flags', 8],
  ['gateway_state', 'draining', 8],
  ['gateway_counter', 'bytes', 8],
  ['gateway_counter', 'returned', 16],
  ['gateway_counter', 'refused', 24],
  ['event', 'packets', 8],
  ['event', 'bytes', 16],
  ['event', 'source', 24],
  ['event', 'destination', 40],
  ['event', 'endpoint', 56],
  ['event', 'rule', 60],
  ['event', 'suppressed', 64],
  ['event', 'source_port', 68],
  ['event', 'destination_port', 70],
  ['event', 'kind', 72],
  ['event', 'direction', 73],
  ['event', 'reason', 74],
  ['event', 'action', 75],
  ['event', 'proto', 76],
  ['event', 'has_tuple', 77],
  ['event', 'source_mac', 78],
]

test('sizes, offsets and numbers are those of the C header', async () => {
  const asserts = [
    ...Object.entries(sizes).map(
      ([name, size]) => `_Static_assert(sizeof(struct ${name}) == ${size}, "size of ${name}");`,
    ),
    ...offsets.map(
      ([name, field, at]) =>
        `_Static_assert(__builtin_offsetof(struct ${name}, ${field}) == ${at}, "${name}.${field}");`,
    ),
    ...Object.entries(dropReasons).map(([name, number]) => {
      const constant = `REASON_${name.toUpperCase().replaceAll('-', '_')}`
      return `_Static_assert(${constant} == ${number}, "${constant}");`
    }),
    ...Object.entries(actionNumbers).map(
      ([name, number]) => `_Static_assert(ACTION_${name.toUpperCase().replaceAll('-', '_')} == ${number}, "${name}");`,
    ),
    ...Object.entries(directionNumbers).map(
      ([name, number]) => `_Static_assert(${name.toUpperCase()} == ${number}, "${name}");`,
    ),
  ]
  const source = `#include "layout.h"\n${asserts.join('\n')}\n`
  const include = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`
  const result = await exec('clang', ['-target', 'bpf', include, '-I', folder, '-fsyntax-only', '-x', 'c', '-'], {
    input: source,
  })
  expect(result.stderr).toBe('')
  expect(result.code).toBe(0)
})

test('the header has no drop reason that the model lacks', () => {
  const header = readFileSync(join(folder, 'layout.h'), 'utf8')
  const named = [...header.matchAll(/REASON_(\w+) = \d+/g)].map(([, name]) => name).filter((name) => name !== 'COUNT')
  expect(named.map((name) => name?.toLowerCase().replaceAll('_', '-'))).toEqual(Object.keys(dropReasons))
})

test('docs/packet-fates.md describes every drop reason', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/packet-fates.md'), 'utf8')
  for (const reason of Object.keys(dropReasons)) expect(page).toContain(`\`${reason}\``)
})
