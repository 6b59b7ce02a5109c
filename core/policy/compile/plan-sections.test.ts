import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { sha256 } from '../testing/sha256.ts'
import { toSizedSection } from './plan-sections.ts'

interface Entry {
  readonly key: string
}

const keyOf = (entry: Entry): string => entry.key
const entries = Array.from({ length: 6000 }, (_, number): Entry => ({ key: `10.${number >> 8}.${number & 255}.1` }))

test('an entry that comes or goes changes its own chunk and at most one beside it, and patching gives what cutting at once gives', () => {
  const before = toSizedSection(entries, keyOf, sha256)
  expect(before.chunks.length).toBeGreaterThan(5)
  fc.assert(
    fc.property(fc.nat(entries.length), fc.constantFrom('insert', 'remove', 'replace'), fc.nat(), (at, how, number) => {
      const made = { key: `x${number}` }
      const after = entries.toSpliced(at, how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [made]))
      const patched = toSizedSection(after, keyOf, sha256, { items: entries, section: before })
      expect(patched).toEqual(toSizedSection(after, keyOf, sha256))
      const kept = new Set(before.chunks)
      expect(patched.chunks.filter((chunk) => !kept.has(chunk)).length).toBeLessThanOrEqual(2)
      expect(patched.chunks.flatMap((chunk) => chunk.items)).toEqual(after)
    }),
    { seed: 20_261_124, numRuns: 200 },
  )
})

test('keys that never ask for a cut still make bounded chunks', () => {
  const same = Array.from({ length: 10_000 }, (): Entry => ({ key: 'never a cut' }))
  const { chunks } = toSizedSection(same, keyOf, sha256)
  expect(chunks.map((chunk) => chunk.items.length)).toEqual([4096, 4096, 1808])
})
