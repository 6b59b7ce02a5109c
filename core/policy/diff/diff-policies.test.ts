import { readFileSync } from 'node:fs'

import {
  type Address,
  type Inventory,
  type Packet,
  type Policy,
  prefixContains,
  toAddressValue,
  toPrefixValue,
} from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { combineVerdicts } from '../explain/combine-verdicts.ts'
import { explain } from '../explain/explain.ts'
import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import {
  arbitraryInventory,
  arbitraryPacket,
  arbitraryParts,
  arbitraryTenantRule,
  toPolicyText,
} from '../testing/arbitrary-policy.ts'
import { referenceVerdict } from '../testing/reference-verdict.ts'
import { type DiffEntry, diffPolicies, type DiffParty } from './diff-policies.ts'
import { type AddressAtom, refineAddresses } from './refine-addresses.ts'
import { describeRange } from './refine-services.ts'

const packets = fc.array(arbitraryPacket, { minLength: 40, maxLength: 40 })

function toPolicy(text: string): Policy {
  const parsed = parsePolicy(text, 'p.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}

function demo(file: string): Policy {
  return toPolicy(readFileSync(new URL(`../testing/${file}`, import.meta.url), 'utf8'))
}

const demoInventory = `apiVersion: hyperward/v1
kind: Inventory
hosts: [one, two]
vms:
  - {uuid: 00000000-0000-4000-8000-000000000001, name: web, host: one, tenant: acme, labels: {app: shop, tier: web}, endpoints: [{mac: "52:54:00:00:00:01", addresses: [10.20.0.11, "fd00:20::11"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000002, name: app, host: two, tenant: acme, labels: {app: shop, tier: app}, endpoints: [{mac: "52:54:00:00:00:02", addresses: [10.20.0.12, "fd00:20::12"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000003, name: db, host: one, tenant: acme, labels: {app: shop, tier: db}, endpoints: [{mac: "52:54:00:00:00:03", addresses: [10.20.0.13, "fd00:20::13"]}]}
`

function readDemoInventory(): Inventory {
  const parsed = parseInventory(demoInventory, 'inventory.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}

test('a change of the shop is told as two entries: what is opened and what is closed', () => {
  const inventory = readDemoInventory()
  const diff = diffPolicies(
    resolve(demo('shop.policy.yaml'), inventory),
    resolve(demo('shop-changed.policy.yaml'), inventory),
  )
  const told = diff.entries.map(({ sources, destinations, services, before, after }) => [
    sources.flatMap((party) => party.vms),
    destinations.flatMap((party) => party.vms),
    services,
    `${before.action} by ${before.rule}`,
    `${after.action} by ${after.rule}`,
  ])
  expect(told).toEqual([
    [
      ['web'],
      ['app'],
      ['tcp 22'],
      'drop by baseline:/defaults/nothing-else-leaves',
      'allow by tenant:acme/shop/web-logs-in-to-app',
    ],
    [['app'], ['db'], ['tcp 5432'], 'allow by tenant:acme/shop/app-to-db', 'drop by tenant:acme/shop/app-lost-the-db'],
  ])
  expect([diff.total, diff.pairs]).toEqual([2, 2])
})

test('a policy does not differ from itself', () => {
  const inventory = readDemoInventory()
  const diff = diffPolicies(resolve(demo('shop.policy.yaml'), inventory), resolve(demo('shop.policy.yaml'), inventory))
  expect(diff).toEqual({ entries: [], total: 0, pairs: 0 })
})

test('more entries than the limit are counted, not listed', () => {
  const inventory = readDemoInventory()
  const diff = diffPolicies(
    resolve(demo('shop.policy.yaml'), inventory),
    resolve(demo('shop-changed.policy.yaml'), inventory),
    1,
  )
  expect([diff.entries.length, diff.total]).toEqual([1, 2])
})

test('a packet changes its fate exactly when an entry of the diff has it', () => {
  fc.assert(
    fc.property(
      arbitraryParts,
      arbitraryTenantRule,
      fc.nat(3),
      arbitraryInventory,
      packets,
      (parts, rule, at, inventory, list) => {
        const [acme, ...others] = parts.tenants
        if (acme === undefined) return
        const changed = { ...parts, tenants: [{ ...acme, rules: acme.rules.toSpliced(at, 1, rule) }, ...others] }
        const [before, after] = [toPolicy(toPolicyText(parts)), toPolicy(toPolicyText(changed))]
        const [first, second] = [resolve(before, inventory), resolve(after, inventory)]
        const diff = diffPolicies(first, second)
        const atoms = refineAddresses(first, second)
        const classes = [first, second].flatMap((resolved) => resolved.index.services.classes)
        const namedProtocols = new Set(classes.map((entry) => entry.protocol))
        for (const packet of list) {
          const [old, now] = [before, after].map((policy) => fate(policy, inventory, packet))
          const entry = diff.entries.find((one) => hasPacket(one, packet, atoms, namedProtocols))
          expect([packet, entry?.before.action ?? old, entry?.after.action ?? old]).toEqual([packet, old, now])
        }
      },
    ),
    { seed: 20_260_402, numRuns: 150 },
  )
})

test('explain names the verdict and the rule of the reference, for each side', () => {
  fc.assert(
    fc.property(arbitraryParts, arbitraryInventory, packets, (parts, inventory, list) => {
      const policy = toPolicy(toPolicyText(parts))
      const resolved = resolve(policy, inventory)
      for (const packet of list) {
        const told = explain(resolved, packet)
        const expected = (['egress', 'ingress'] as const).flatMap((direction) => {
          const verdict = referenceVerdict(policy, inventory, packet, direction)
          return verdict === null ? [] : [{ direction, ...verdict }]
        })
        expect(told.sides.map(({ direction, action, ref }) => ({ direction, action, ref }))).toEqual(expected)
        expect(told.verdict).toBe(fate(policy, inventory, packet))
      }
    }),
    { seed: 20_260_403, numRuns: 100 },
  )
})

function fate(policy: Policy, inventory: Inventory, packet: Packet): string {
  const sides = [
    referenceVerdict(policy, inventory, packet, 'egress'),
    referenceVerdict(policy, inventory, packet, 'ingress'),
  ]
  return combineVerdicts(sides.filter((side) => side !== null).map((side) => side.action))
}

function hasPacket(
  entry: DiffEntry,
  packet: Packet,
  atoms: readonly AddressAtom[],
  namedProtocols: ReadonlySet<number>,
): boolean {
  const holds = (parties: readonly DiffParty[], address: Address): boolean => {
    const key = keyOf(atomOf(atoms, address))
    return parties.some((party) => keyOf(party) === key)
  }
  return (
    holds(entry.sources, packet.source) &&
    holds(entry.destinations, packet.destination) &&
    hasService(entry, packet, namedProtocols)
  )
}

function keyOf({ addresses, networks, world }: Pick<AddressAtom, 'addresses' | 'networks' | 'world'>): string {
  return JSON.stringify([addresses.toSorted(), networks.toSorted(), world])
}

/** An endpoint's address by name, else by the longest network, else the world. */
function atomOf(atoms: readonly AddressAtom[], address: Address): AddressAtom {
  const exact = atoms.find((atom) => atom.addresses.includes(address))
  if (exact !== undefined) return exact
  const around = atoms
    .flatMap((atom) => atom.networks.map((prefix) => ({ atom, value: toPrefixValue(prefix) })))
    .filter(({ value }) => prefixContains(value, toAddressValue(address)))
    .sort((a, b) => b.value.length - a.value.length)
  return around[0]?.atom ?? atoms.find((atom) => atom.world) ?? expect.fail('no world')
}

function hasService(
  { services }: DiffEntry,
  { protocol, port = 0 }: Packet,
  namedProtocols: ReadonlySet<number>,
): boolean {
  const all = describeRange(protocol, port, port)
  const [name] = all.split(' ')
  const inRange = (text: string): boolean => {
    const match = /^(\S+) (\d+)-(\d+)$/.exec(text)
    return match?.[1] === name && Number(match?.[2]) <= port && port <= Number(match?.[3])
  }
  const named = services.some((text) => text === 'any' || text === all || text === `${name} any` || inRange(text))
  return named || (services.includes('all else') && !namedProtocols.has(protocol))
}
