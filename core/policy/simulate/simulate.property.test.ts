import type { FlowRecord } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { resolve } from '../resolve/resolve.ts'
import { arbitraryInventory, arbitraryPacket } from '../testing/arbitrary-inventory.ts'
import { arbitraryParsedPolicy } from '../testing/arbitrary-parsed-policy.ts'
import { referenceFate } from '../testing/reference-verdict.ts'
import { simulate } from './simulate.ts'

const records: fc.Arbitrary<readonly FlowRecord[]> = fc.array(
  fc
    .record({
      packet: arbitraryPacket,
      passed: fc.nat(5),
      refused: fc.nat(3),
      first: fc.constant('2026-11-01T00:00:00.000Z'),
      last: fc.constant('2026-11-02T00:00:00.000Z'),
    })
    .map(({ passed, ...rest }) => ({ ...rest, count: passed + rest.refused })),
  { maxLength: 40 },
)

test('as many connections change as the reference judges otherwise, each in its way', () => {
  fc.assert(
    fc.property(
      arbitraryParsedPolicy,
      arbitraryParsedPolicy,
      arbitraryInventory,
      records,
      (old, draft, inventory, flows) => {
        const told = simulate(resolve(old, inventory), resolve(draft, inventory), flows)
        const expected = { breaks: 0, opens: 0, differs: 0 }
        for (const { packet, count } of flows) {
          const [before, after] = [old, draft].map((policy) => referenceFate(policy, inventory, packet))
          if (before === after || before === undefined || after === undefined) continue
          if (refuses(before) === refuses(after)) expected.differs += count
          else expected[refuses(after) ? 'breaks' : 'opens'] += count
        }
        expect(told.changed).toEqual(expected)
      },
    ),
    { seed: 20_261_131, numRuns: 150 },
  )
})

test('against what was recorded, what passed and would be refused breaks, and the other way round opens', () => {
  fc.assert(
    fc.property(arbitraryParsedPolicy, arbitraryInventory, records, (draft, inventory, flows) => {
      const told = simulate(null, resolve(draft, inventory), flows)
      const expected = { breaks: 0, opens: 0, differs: 0 }
      for (const { packet, count, refused } of flows) {
        if (refuses(referenceFate(draft, inventory, packet))) expected.breaks += count - refused
        else expected.opens += refused
      }
      expect(told.changed).toEqual(expected)
    }),
    { seed: 20_261_132, numRuns: 150 },
  )
})

function refuses(fate: string): boolean {
  return fate === 'drop' || fate === 'reject'
}
