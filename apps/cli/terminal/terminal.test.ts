import { expect, test } from 'vitest'

import { displayWidth } from './display-width.ts'
import { renderTable } from './render-table.ts'
import { createStyle, isColorWanted } from './style.ts'
import { toPrintable } from './to-printable.ts'

const plain = createStyle(false)

test.each([
  ['', 0],
  ['web-1', 5],
  ['数据库', 6],
  ['e\u0301', 1],
  ['한글', 4],
  ['ａ', 2],
  ['😀', 2],
  ['é', 1],
  ['→', 1],
])('%s takes %i columns', (text, width) => {
  expect(displayWidth(text)).toBe(width)
})

test('columns stay aligned beside double-width characters, and numbers stand to the right', () => {
  const lines = renderTable(
    [{ title: '虚拟机' }, { title: 'packets', align: 'right' }, { title: 'note' }],
    [
      ['网站', 5, 'a'],
      ['db-1234', 12345, ''],
    ],
    plain,
  )
  expect(lines).toEqual(['虚拟机   packets  note', '网站           5  a', 'db-1234    12345'])
  const columnOfNote = displayWidth('虚拟机   packets  ')
  expect(displayWidth(lines[1]?.slice(0, lines[1].indexOf('a')) ?? '')).toBe(columnOfNote)
})

test('a table without rows is its titles', () => {
  expect(renderTable([{ title: 'host' }], [], plain)).toEqual(['host'])
})

test('style does not change the width of a cell', () => {
  const lines = renderTable(
    [{ title: 'a' }, { title: 'b' }],
    [
      [{ text: 'no', style: 'red' }, 'x'],
      ['long', 'y'],
    ],
    createStyle(true),
  )
  expect(lines[1]).toBe('\u001b[31mno\u001b[0m    x')
  expect(lines[2]).toBe('long  y')
})

test('what could drive a terminal or reorder a line is shown, not sent', () => {
  expect(toPrintable('vm\u001b]52;c;AAAA\u0007')).toBe('vm\\u{1b}]52;c;AAAA\\u{7}')
  expect(toPrintable('a\u202eb\u009bc\nd')).toBe('a\\u{202e}b\\u{9b}c\\u{a}d')
  expect(renderTable([{ title: 'vm' }], [['x\u001b[2J']], plain)[1]).toBe('x\\u{1b}[2J')
})

test('colour needs a terminal and no NO_COLOR', () => {
  expect(isColorWanted(true, {})).toBe(true)
  expect(isColorWanted(false, {})).toBe(false)
  expect(isColorWanted(true, { NO_COLOR: '1' })).toBe(false)
  expect(isColorWanted(true, { NO_COLOR: '' })).toBe(true)
  expect(isColorWanted(true, { TERM: 'dumb' })).toBe(false)
})
