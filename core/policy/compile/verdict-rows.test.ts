import { expect, test } from 'vitest'

import { createRowBudget } from './verdict-rows.ts'

test('a policy whose rows would explode is refused with an estimate of the whole, before they are made', () => {
  const budget = createRowBudget(100, 1000)
  for (let local = 0; local < 9; local += 1) {
    budget.spend(100)
    budget.next()
  }
  budget.spend(100)
  expect(() => {
    budget.spend(1)
  }).toThrow(expect.objectContaining({ code: 'policy.too-many-rows', details: { estimate: 11_122, limit: 1000 } }))
})
