// ARCHITECTURE.md names, for each invariant of the design, the tests that hold it; a renamed or deleted test is found here.
import { expect, test } from 'vitest'
import { listFiles, readText } from './source-files.ts'

const rows = [...readText('ARCHITECTURE.md').matchAll(/^- \*\*Test:\*\* `([^`]+)` — \*(.+)\*$/gm)].map((match) => ({
  file: match[1] ?? '',
  name: match[2] ?? '',
}))

test('every test that ARCHITECTURE.md names exists under that name', () => {
  expect(rows.length).toBeGreaterThanOrEqual(6)
  const files = new Set(listFiles(/\.test\.ts$/))
  const missing = rows.filter(({ file, name }) => !files.has(file) || !readText(file).includes(name))
  expect(missing).toEqual([])
})

test('each of the six invariants names at least one test', () => {
  const sections = readText('ARCHITECTURE.md')
    .split(/^### Invariant /m)
    .slice(1)
  expect(sections.map((section) => section[0])).toEqual(['1', '2', '3', '4', '5', '6'])
  expect(sections.filter((section) => !section.includes('- **Test:**'))).toEqual([])
})
