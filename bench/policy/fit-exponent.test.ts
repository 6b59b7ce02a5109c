import { expect, test } from 'vitest'

import { fitExponent } from './fit-exponent.ts'

test('the exponent of exact powers is found, whatever the factor', () => {
  for (const power of [0, 0.5, 1, 2])
    expect(fitExponent([10, 20, 50, 100].map((x) => [x, 7 * x ** power]))).toBeCloseTo(power)
})
