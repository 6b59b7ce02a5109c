import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { globMatches } from './glob-matches.ts'

test.each([
  ['web-*', 'web-1', true],
  ['web-*', 'web-', true],
  ['web-*', 'my-web-1', false],
  ['*-db', 'shop-db', true],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['Web', 'web', false],
  ['a.c', 'abc', false],
  ['*a*b', 'xaxbxab', true],
])('%s and %s: %s', (pattern, text, expected) => {
  expect(globMatches(pattern, text)).toBe(expected)
})

test('a pattern means what the same regular expression means', () => {
  const letters = (all: readonly string[], maxLength: number) =>
    fc.array(fc.constantFrom(...all), { maxLength }).map((one) => one.join(''))
  fc.assert(
    fc.property(letters(['a', 'b', '*', '?'], 8), letters(['a', 'b'], 10), (pattern, text) => {
      const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text)
      expect(globMatches(pattern, text)).toBe(same)
    }),
    { seed: 20_261_123, numRuns: 2000 },
  )
})

test('a hostile pattern takes no time to speak of', () => {
  expect(globMatches(`${'*a'.repeat(50)}b`, 'a'.repeat(1000))).toBe(false)
})
