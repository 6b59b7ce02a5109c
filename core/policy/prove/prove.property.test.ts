/** Proofs against every packet of a small universe judged by the reference. */
import { type Guarantee, type Inventory, type Packet, type Policy, type Rule, toRuleRef } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { resolve } from '../resolve/resolve.ts'
import { referenceFate, referenceVerdict } from '../testing/reference-verdict.ts'
import { arbitrarySmallInventory, arbitrarySmallPolicy, listSmallPackets } from '../testing/small-universe.ts'
import { proveGuarantees } from './prove-guarantees.ts'

const hit = toRuleRef('emergency', null, 'guarantee', 'hit')

test('a guarantee holds exactly when no packet of the universe breaks it, however many pairs are taken together', () => {
  fc.assert(
    fc.property(
      arbitrarySmallPolicy,
      arbitrarySmallInventory,
      fc.constantFrom(0, 1_000_000),
      (policy, inventory, pairs) => {
        const packets = listSmallPackets(inventory)
        for (const result of proveGuarantees(resolve(policy, inventory), { pairs })) {
          const { guarantee, holds, vacuous, counterexample } = result
          const concerned = packets.filter((packet) => isMeant(policy, inventory, guarantee, packet))
          const broken = concerned.filter((packet) => breaks(policy, inventory, guarantee, packet))
          expect([guarantee, holds]).toEqual([guarantee, broken.length === 0])
          // a guarantee of one port outside the list of packets tried may still mean some
          if (concerned.length > 0) expect(vacuous).toBe(false)
          expect(counterexample === null).toBe(holds)
          if (counterexample === null) continue
          const { packet, explanation } = counterexample
          expect(packet.source).not.toBe(packet.destination)
          expect(isMeant(policy, inventory, guarantee, packet)).toBe(true)
          expect(breaks(policy, inventory, guarantee, packet)).toBe(true)
          expect(explanation.verdict).toBe(referenceFate(policy, inventory, packet))
          // the worst first: where something passes uninspected, that is the example
          const uninspected = broken.some((one) => passesUninspected(policy, inventory, one))
          if (guarantee.kind !== 'always') expect(passesUninspected(policy, inventory, packet)).toBe(uninspected)
        }
      },
    ),
    { seed: 20_261_102, numRuns: 150 },
  )
})

/** Asked of the reference in its own words: a policy of one rule with the guarantee's ends, in force everywhere. */
function isMeant(policy: Policy, inventory: Inventory, guarantee: Guarantee, packet: Packet): boolean {
  const { source, destination, service } = guarantee
  const rule: Rule = {
    ref: hit,
    tier: 'emergency',
    tenant: null,
    policy: 'guarantee',
    name: 'hit',
    source,
    destination,
    service,
    directions: ['egress', 'ingress'],
    action: 'allow',
    log: false,
    monitor: false,
  }
  const asked = { ...policy, rules: [rule] }
  return (['egress', 'ingress'] as const).some(
    (direction) => referenceVerdict(asked, inventory, packet, direction)?.ref === hit,
  )
}

function breaks(policy: Policy, inventory: Inventory, { kind, profile }: Guarantee, packet: Packet): boolean {
  const fate = referenceFate(policy, inventory, packet)
  const passes = fate === 'allow' || fate === 'allow-stateless' || fate === 'inspect'
  if (kind === 'never') return passes
  if (kind === 'always') return !passes
  return passes && (fate !== 'inspect' || (profile !== undefined && profile !== profileOf(policy, inventory, packet)))
}

function profileOf(policy: Policy, inventory: Inventory, packet: Packet): string | undefined {
  const side = (['egress', 'ingress'] as const)
    .map((direction) => referenceVerdict(policy, inventory, packet, direction))
    .find((one) => one?.action === 'inspect')
  return policy.rules.find(({ ref }) => ref === side?.ref)?.profile
}

function passesUninspected(policy: Policy, inventory: Inventory, packet: Packet): boolean {
  const fate = referenceFate(policy, inventory, packet)
  return fate === 'allow' || fate === 'allow-stateless'
}
