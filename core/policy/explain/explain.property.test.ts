import { type Packet, type Policy } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { resolve } from '../resolve/resolve.ts'
import { arbitraryInventory, arbitraryPacket } from '../testing/arbitrary-inventory.ts'
import { arbitraryParsedPolicy } from '../testing/arbitrary-parsed-policy.ts'
import { referenceFate, referenceVerdict } from '../testing/reference-verdict.ts'
import { createJudge } from './create-judge.ts'
import { explain } from './explain.ts'

const packets = fc.array(arbitraryPacket, { minLength: 40, maxLength: 40 })
const directions = ['egress', 'ingress'] as const

test('explain names the action, the rule and the monitor of the reference, for each side', () => {
  fc.assert(
    fc.property(arbitraryParsedPolicy, arbitraryInventory, packets, (policy, inventory, list) => {
      const resolved = resolve(policy, inventory)
      for (const packet of list) {
        const told = explain(resolved, packet)
        const expected = directions.flatMap((direction) => {
          const verdict = referenceVerdict(policy, inventory, packet, direction)
          return verdict === null ? [] : [{ direction, ...verdict }]
        })
        const sides = told.sides.map(({ direction, action, ref, monitor }) => ({
          direction,
          action,
          ref,
          ...(monitor === null ? {} : { monitor: monitor.ref }),
        }))
        expect({ packet, sides, verdict: told.verdict }).toEqual({
          packet,
          sides: expected,
          verdict: referenceFate(policy, inventory, packet),
        })
      }
    }),
    { seed: 20_261_123, numRuns: 200 },
  )
})

test('a judge by classes says what explain says of every packet', () => {
  fc.assert(
    fc.property(arbitraryParsedPolicy, arbitraryInventory, packets, (policy, inventory, list) => {
      const resolved = resolve(policy, inventory)
      const judge = createJudge(resolved)
      for (const packet of list) {
        const told = explain(resolved, packet)
        const { verdict, sides } = judge(packet)
        expect({ packet, verdict, sides: sides.map(({ action, rule }) => [action, rule?.rule.ref]) }).toEqual({
          packet,
          verdict: told.verdict,
          sides: told.sides.map(({ action, rule }) => [action, rule?.ref]),
        })
      }
    }),
    { seed: 20_261_124, numRuns: 200 },
  )
})

test('each step of a walk tells the truth: alone, the rule would decide exactly when it is said to match', () => {
  fc.assert(
    fc.property(arbitraryParsedPolicy, arbitraryInventory, packets, (policy, inventory, list) => {
      const resolved = resolve(policy, inventory)
      for (const packet of list) {
        for (const { direction, walk } of explain(resolved, packet).sides) {
          for (const step of walk) {
            const alone: Policy = { ...policy, rules: [{ ...step.rule, monitor: false, action: 'allow' }] }
            const { profile: _profile, ...rule } = alone.rules[0] ?? expect.fail('no rule')
            expect([step.rule.ref, step.wouldMatch]).toEqual([
              step.rule.ref,
              decides({ ...policy, rules: [rule] }, inventory, packet, direction),
            ])
          }
        }
      }
    }),
    { seed: 20_261_125, numRuns: 60 },
  )
})

function decides(
  policy: Policy,
  inventory: Parameters<typeof referenceVerdict>[1],
  packet: Packet,
  direction: (typeof directions)[number],
): boolean {
  return referenceVerdict(policy, inventory, packet, direction)?.action === 'allow'
}
