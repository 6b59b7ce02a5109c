import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { definitionsPath, generate, generatedPath } from '../../scripts/gen-libvirt-protocol.ts'

test('the protocol of the libvirt client is what its definitions give', () => {
  // oxfmt lays it out: layout and closing commas do not count
  const normal = (text: string): string => text.replaceAll(/\s+/g, '').replaceAll(/,(?=[}\])])/g, '')
  expect(normal(readFileSync(generatedPath, 'utf8'))).toBe(normal(generate(readFileSync(definitionsPath, 'utf8'))))
})
