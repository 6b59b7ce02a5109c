import { expect, test } from 'vitest'

import { createBackoff } from './backoff.ts'

test('waits double up to the maximum and start over after a reset', () => {
  const backoff = createBackoff({ minMs: 100, maxMs: 1000, random: () => 0.999_999 })
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000])
  backoff.reset()
  expect(backoff.next()).toBe(100)
})

test('each wait is at least half its step, so that a fleet spreads and nobody hammers', () => {
  const backoff = createBackoff({ minMs: 100, maxMs: 1000, random: () => 0 })
  expect([1, 2, 3].map(() => backoff.next())).toEqual([50, 100, 200])
})

test('a thousand failures still give a finite wait', () => {
  const backoff = createBackoff({ minMs: 100, maxMs: 1000, random: () => 0.5 })
  for (let i = 0; i < 1000; i++) backoff.next()
  expect(backoff.next()).toBe(750)
})
