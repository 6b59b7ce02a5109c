import { expect, test } from 'vitest'

import { nearest } from './nearest.ts'

test.each([
  ['statsu', 'status'],
  ['STATUS', 'status'],
  ['pub', 'publish'],
  ['ho', ''],
  ['p', ''],
  ['nothing', ''],
  ['x'.repeat(64), ''],
])('nearest to %j is %j', (written, word) => {
  expect(nearest(written, ['status', 'publish', 'hosts', 'hosting', 'p-1'])).toBe(word)
})

test('a long list is searched to its bound', () => {
  const words = function* (): Generator<string> {
    for (let n = 0; ; n += 1) yield `word-${n}-far-away`
  }
  expect(nearest('abc', words())).toBe('')
})
