import { type Address, type Inventory, type Packet, parseAddress, type Policy, type RuleRef } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { linkLocalAddress } from '../resolve/link-local-address.ts'
import { resolve } from '../resolve/resolve.ts'
import { arbitraryInventory } from '../testing/arbitrary-inventory.ts'
import { arbitraryParsedPolicy } from '../testing/arbitrary-parsed-policy.ts'
import { referenceVerdict } from '../testing/reference-verdict.ts'
import { lintPolicy } from './lint-policy.ts'

const directions = ['egress', 'ingress'] as const
const smallInventory = arbitraryInventory.filter((inventory) => inventory.vms.length <= 4)

test('taking out every rule told as shadowed, redundant or never matching changes no verdict', () => {
  let gone = 0
  fc.assert(
    fc.property(arbitraryParsedPolicy, smallInventory, (policy, inventory) => {
      const told = refsOf(policy, inventory, [
        'lint.shadowed',
        'lint.redundant',
        'lint.never-matches',
        'lint.idle-tenant',
      ])
      gone += told.size
      const less: Policy = { ...policy, rules: policy.rules.filter((rule) => !told.has(rule.ref)) }
      for (const packet of everyPacket(inventory)) {
        for (const direction of directions) {
          const before = referenceVerdict(policy, inventory, packet, direction)
          const after = referenceVerdict(less, inventory, packet, direction)
          expect([packet, direction, after?.action]).toEqual([packet, direction, before?.action])
        }
      }
    }),
    { seed: 20_261_126, numRuns: 30 },
  )
  expect(gone).toBeGreaterThan(30)
})

test('a rule not told as shadowed or never matching decides some packet, passes it on, or would', () => {
  fc.assert(
    fc.property(arbitraryParsedPolicy.map(withoutTimes), smallInventory, (policy, inventory) => {
      const dead = refsOf(policy, inventory, ['lint.shadowed', 'lint.never-matches'])
      const idle = idleTenants(policy, inventory)
      const expected = new Set<RuleRef>()
      for (const rule of policy.rules) {
        // monitor and pass rules are seen by what they would change: as refusing rules they decide
        const others: Policy = { ...policy, rules: policy.rules.map((one) => (one === rule ? asDecider(one) : one)) }
        const alive = everyPacket(inventory).some((packet) =>
          directions.some((direction) => referenceVerdict(others, inventory, packet, direction)?.ref === rule.ref),
        )
        if (!alive && (rule.tenant === null || !idle.has(rule.tenant))) expected.add(rule.ref)
      }
      expect(dead).toEqual(expected)
    }),
    { seed: 20_261_127, numRuns: 20 },
  )
})

/** Of rules that meet one with a schedule or an end less is said. */
function withoutTimes(policy: Policy): Policy {
  return { ...policy, rules: policy.rules.map(({ schedule: _schedule, expires: _expires, ...rule }) => rule) }
}

function asDecider(rule: Policy['rules'][number]): Policy['rules'][number] {
  const { profile: _profile, ...rest } = rule
  return { ...rest, monitor: false, action: 'drop' }
}

function refsOf(policy: Policy, inventory: Inventory, codes: readonly string[]): ReadonlySet<string> {
  const found = lintPolicy(resolve(policy, inventory), { now: 0 }).filter((one) => codes.includes(one.code))
  const idle = idleTenants(policy, inventory)
  const refs = found.map((one) => one.path)
  const ofIdle = codes.includes('lint.idle-tenant')
    ? policy.rules.filter((rule) => rule.tenant !== null && idle.has(rule.tenant)).map((rule) => rule.ref)
    : []
  return new Set([...refs, ...ofIdle])
}

function idleTenants(policy: Policy, inventory: Inventory): ReadonlySet<string> {
  const peopled = new Set(resolve(policy, inventory).classes.map((one) => one.signature.tenant))
  return new Set(policy.tenants.filter((tenant) => !peopled.has(tenant)))
}

const outside = [
  '10.0.0.1',
  '10.0.0.4',
  '10.0.0.5',
  '10.0.0.6',
  '10.9.9.9',
  '192.0.2.7',
  '198.51.100.1',
  '2001:db8::1',
  'fd00::5',
  'fd00::9:1',
  'fd01::1',
  'fe80::1',
]

/** One address of every kind with one another, with a service of every kind: all that the test policies can tell apart. */
function everyPacket(inventory: Inventory): readonly Packet[] {
  const own = inventory.vms.flatMap(({ endpoints }) =>
    endpoints.flatMap(({ mac, addresses }) => [...addresses, linkLocalAddress(mac)]),
  )
  const all = [...new Set([...own, ...outside.map((text) => parseAddress(text) ?? expect.fail(text))])]
  const services = [
    { protocol: 6, port: 80 },
    { protocol: 6, port: 79 },
    { protocol: 6, port: 5000 },
    { protocol: 47 },
    { protocol: 50 },
  ]
  const isV6 = (address: Address): boolean => address.includes(':')
  return all.flatMap((source) =>
    all
      .filter((destination) => isV6(source) === isV6(destination))
      .flatMap((destination) => services.map((service) => ({ source, destination, ...service }))),
  )
}
