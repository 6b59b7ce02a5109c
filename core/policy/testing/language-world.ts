/**
 * The small world in which docs/policy-language.md is pinned: packet rows through parser, resolver, compiler and look-up, and through the reference
 * beside them. A row between names is tried with IPv4 and with IPv6.
 */
import {
  type Address,
  type Direction,
  type HostPlan,
  type Inventory,
  type Packet,
  parseAddress,
  parseRevision,
  type Policy,
  type RuleRef,
} from '@hyperward/model'
import { expect, test } from 'vitest'

import { compile } from '../compile/compile.ts'
import { lookupVerdict } from '../compile/lookup-verdict.ts'
import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import { ownerOf, referenceFate, referenceVerdict } from './reference-verdict.ts'
import { sha256 } from './sha256.ts'

const worldText = `
apiVersion: hyperward/v1
kind: Inventory
hosts: [north, south]
vms:
  - { name: web-1, host: north, tenant: acme, os: debian 12, labels: {tier: web, color: blue}, uuid: 00000000-0000-4000-8000-000000000001,
      endpoints: [{mac: "52:54:00:00:00:01", segment: lan, addresses: [10.0.0.1, "fd00::1"]}] }
  - { name: web-2, host: south, tenant: acme, os: windows 2022, labels: {tier: web}, uuid: 00000000-0000-4000-8000-000000000002,
      endpoints: [{mac: "52:54:00:00:00:02", segment: dmz, addresses: [10.0.0.2, "fd00::2"]}] }
  - { name: db-1, host: north, tenant: acme, labels: {tier: db, color: red}, uuid: 00000000-0000-4000-8000-000000000003,
      endpoints: [{mac: "52:54:00:00:00:03", addresses: [10.0.0.3, "fd00::3"]}] }
  - { name: app-1, host: south, tenant: globex, os: debian 12, labels: {tier: web, color: blue}, uuid: 00000000-0000-4000-8000-000000000004,
      endpoints: [{mac: "52:54:00:00:00:04", segment: lan, addresses: [10.0.0.4, "fd00::4"]}] }
  - { name: stray, host: north, labels: {tier: web}, uuid: 00000000-0000-4000-8000-000000000005,
      endpoints: [{mac: "52:54:00:00:00:05", addresses: [10.0.0.5, "fd00::5"]}] }
  - { name: alone, host: south, tenant: umbrella, labels: {tier: web}, uuid: 00000000-0000-4000-8000-000000000006,
      endpoints: [{mac: "52:54:00:00:00:06", addresses: [10.0.0.6, "fd00::6"]}] }
`

const addresses: Readonly<Record<string, readonly [string, string]>> = {
  'web-1': ['10.0.0.1', 'fd00::1'],
  'web-2': ['10.0.0.2', 'fd00::2'],
  'db-1': ['10.0.0.3', 'fd00::3'],
  'app-1': ['10.0.0.4', 'fd00::4'],
  stray: ['10.0.0.5', 'fd00::5'],
  alone: ['10.0.0.6', 'fd00::6'],
  outside: ['192.0.2.9', '2001:db8::9'],
  office: ['203.0.113.7', '2001:db8:1::7'],
}
const protocols = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58, gre: 47, esp: 50 } as const

export type Fate = ReturnType<typeof referenceFate>

/** Fate, protocol, source, destination (names of the world, or addresses), port or type; then the rule that must decide at one side at least. */
export type PacketRow = readonly [
  fate: Fate,
  protocol: keyof typeof protocols,
  source: string,
  destination: string,
  port?: number | null,
  by?: string,
]

/** A policy without its envelope, and what becomes of packets under it. */
export function meaning(title: string, text: string, rows: readonly PacketRow[]): void {
  test(title, () => {
    const policy = toPolicy(text)
    const inventory = toInventory()
    const { plans } = compile(resolve(policy, inventory), { revision: parseRevision(1) ?? expect.fail(), sha256 })
    for (const row of rows) for (const packet of toPackets(row)) expectRow(policy, inventory, plans, row, packet)
  })
}

/** What stands in the title is refused, by exactly this diagnostic. */
export function refusal(title: string, code: string, ...texts: readonly string[]): void {
  test(title, () => {
    for (const text of texts) {
      const parsed = parsePolicy(envelope(text), 'p.yaml')
      expect([text, parsed.ok ? 'accepted' : [...new Set(parsed.diagnostics.map((one) => one.code))]]).toEqual([
        text,
        [code],
      ])
    }
  })
}

export function toPolicy(text: string): Policy {
  const parsed = parsePolicy(envelope(text), 'p.yaml')
  return parsed.ok ? parsed.value : expect.fail(parsed.diagnostics.map((one) => one.message).join('\n'))
}

export function toInventory(): Inventory {
  const parsed = parseInventory(worldText, 'i.yaml')
  return parsed.ok ? parsed.value : expect.fail(parsed.diagnostics.map((one) => one.message).join('\n'))
}

/** TCP, port 80. */
export function toPacket(source: string, destination: string): Packet {
  const [from, to] = [source, destination].map(parseAddress)
  if (from === null || from === undefined || to === null || to === undefined) return expect.fail('no address')
  return { source: from, destination: to, protocol: protocols.tcp, port: 80 }
}

function envelope(text: string): string {
  return `apiVersion: hyperward/v1\nkind: Policy\n${text}`
}

function toPackets([, protocol, source, destination, port]: PacketRow): readonly Packet[] {
  const families = ([0, 1] as const).filter((at) =>
    protocol === 'icmp' ? at === 0 : protocol !== 'icmpv6' || at === 1,
  )
  return families.flatMap((at) => {
    const ends = [source, destination].map((name) => addresses[name]?.[at] ?? name)
    const [from, to] = ends.map((text): Address => parseAddress(text) ?? expect.fail(`no address: ${text}`))
    if (from === undefined || to === undefined) return []
    const packet = { source: from, destination: to, protocol: protocols[protocol] }
    return [port === undefined || port === null ? packet : { ...packet, port }]
  })
}

function expectRow(
  policy: Policy,
  inventory: Inventory,
  plans: readonly HostPlan[],
  row: PacketRow,
  packet: Packet,
): void {
  const [fate, , , , , by] = row
  expect([row, packet, referenceFate(policy, inventory, packet)]).toEqual([row, packet, fate])
  const deciders: RuleRef[] = []
  for (const direction of ['egress', 'ingress'] as const) {
    const expected = referenceVerdict(policy, inventory, packet, direction)
    if (expected === null) continue
    deciders.push(expected.ref)
    expect([row, direction, found(inventory, plans, packet, direction)]).toEqual([row, direction, expected])
  }
  if (by !== undefined)
    expect([row, deciders.some((ref) => ref.endsWith(`/${by}`)), deciders]).toEqual([row, true, deciders])
}

/** What the plan of the enforcing host says. */
function found(inventory: Inventory, plans: readonly HostPlan[], packet: Packet, direction: Direction): unknown {
  const [local, peer] =
    direction === 'egress' ? [packet.source, packet.destination] : [packet.destination, packet.source]
  const host = ownerOf(inventory, local)?.host
  const plan = plans.find((one) => one.host === host) ?? expect.fail('no plan of the host')
  const verdict = lookupVerdict(plan, direction, local, peer, packet.protocol, packet.port)
  const { action, rule, monitor } = verdict
  return { action, ref: rule.ref, ...(monitor === null ? {} : { monitor: monitor.ref }) }
}
