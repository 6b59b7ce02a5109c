import { expect, test } from 'vitest'

import { renderClose, renderInstall, renderOpen } from './render.ts'

test('the door names no table but its own, and no chain accepts more than it found', () => {
  const script = renderInstall(['vnet*', 'tap*'])
  for (const line of script.trim().split('\n')) expect(line).toContain(' bridge hyperward_door')
  expect(script).not.toMatch(/delete|flush (table|ruleset)|accept$/m)
  expect(script.match(/ drop$/gm)).toHaveLength(6)
})

test('patterns that are no device names never reach nft', () => {
  for (const pattern of ['', '*', 'a b', 'vnet"*', 'x; flush ruleset', 'a'.repeat(16), 'v*t', '1web']) {
    expect(() => renderInstall([pattern])).toThrow('not a pattern')
  }
  expect(() => renderInstall([])).toThrow('no tap is closed')
})

test('elements are numbers and nothing else', () => {
  expect(renderOpen(7)).toBe('add element bridge hyperward_door guarded { 7 }\n')
  for (const index of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
    expect(() => renderOpen(index)).toThrow('not an ifindex')
    expect(() => renderClose([index])).toThrow('not an ifindex')
  }
})
