import { readFileSync } from 'node:fs'

import { icmpTypeNames } from '@hyperward/model'
import { expect, test } from 'vitest'

import { parseInventory } from './parse-inventory.ts'
import { parsePolicy } from './parse-policy.ts'
import { serviceFields } from '../language/fields.ts'

const page = readFileSync(new URL('../../../docs/policy-language.md', import.meta.url), 'utf8')
const [policy = '', inventory = ''] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? '')

test('the examples of docs/policy-language.md are valid documents', () => {
  expect(parsePolicy(policy, 'page').ok).toBe(true)
  expect(parseInventory(inventory, 'page').ok).toBe(true)
})

test('docs/policy-language.md names every service key and every ICMP name', () => {
  const words = [...serviceFields, ...Object.keys(icmpTypeNames.icmp), ...Object.keys(icmpTypeNames.icmpv6)]
  expect(words.filter((word) => !page.includes(`\`${word}\``))).toEqual([])
})
