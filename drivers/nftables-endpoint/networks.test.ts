import {
  isPrefix,
  parsePrefix,
  prefixContains,
  toAddress,
  toAddressValue,
  toIdentity,
  toPrefixValue,
  type PrefixIdentity,
} from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { toRanges } from './networks.ts'

/** Prefixes that nest and touch often: few bits differ. */
const networks = fc
  .uniqueArray(
    fc.record({
      family: fc.constantFrom(4 as const, 6 as const),
      bits: fc.integer({ min: 0, max: 15 }),
      length: fc.integer({ min: 0, max: 4 }),
      identity: fc.integer({ min: 1, max: 5 }),
      low: fc.boolean(),
    }),
    { selector: (one) => `${one.family}/${one.low}/${one.length}/${one.bits >> (4 - one.length)}`, maxLength: 12 },
  )
  .map((all) =>
    all.flatMap(({ family, bits, length, identity, low }): PrefixIdentity[] => {
      const width = family === 4 ? 32 : 128
      const kept = BigInt(bits >> (4 - length)) << BigInt(4 - length)
      const at = low ? 0n : BigInt(width - 4)
      const text = `${toAddress({ family, number: kept << at })}/${low ? width - 4 + length : length}`
      const prefix = parsePrefix(text)
      return isPrefix(prefix) ? [{ prefix, identity: toIdentity(identity) }] : []
    }),
  )

test('ranges do not overlap, and say of each address what its longest prefix says', () => {
  fc.assert(
    fc.property(networks, (all) => {
      for (const family of [4, 6] as const) {
        const ranges = toRanges(all, family).map((range) => ({
          from: toAddressValue(range.from).number,
          to: toAddressValue(range.to).number,
          identity: range.identity,
        }))
        for (const [index, range] of ranges.entries()) {
          expect(range.from <= range.to).toBe(true)
          const next = ranges[index + 1]
          if (next !== undefined) expect(range.to < next.from).toBe(true)
        }
        const edges = all.flatMap(({ prefix }) => {
          const { number, length, family: of } = toPrefixValue(prefix)
          const width = of === 4 ? 32n : 128n
          const last = number + (1n << (width - BigInt(length))) - 1n
          const most = (1n << width) - 1n
          return of === family ? [number, last, number - 1n, last + 1n].filter((one) => one >= 0n && one <= most) : []
        })
        for (const number of [0n, ...edges]) {
          const longest = all
            .filter(({ prefix }) => prefixContains(toPrefixValue(prefix), { family, number }))
            .toSorted((x, y) => toPrefixValue(y.prefix).length - toPrefixValue(x.prefix).length)[0]
          const found = ranges.find((range) => range.from <= number && number <= range.to)
          expect(found?.identity).toBe(longest?.identity)
        }
      }
    }),
  )
})
