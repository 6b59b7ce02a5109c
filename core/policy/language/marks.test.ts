/** Every sentence of docs/policy-language.md with a mark has a test that carries it, and no test carries a mark that the page lacks. */
import { globSync, readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

const root = new URL('../../../', import.meta.url)
const page = readFileSync(new URL('docs/policy-language.md', root), 'utf8')
const mark = /\[([A-Z]\d+)\]/g

function marksOf(text: string): readonly string[] {
  return [...text.matchAll(mark)].map(([, id]) => id ?? '')
}

/** Marks in the titles of tests: the first argument of `test`, `meaning` or `refusal`. */
function titleMarks(source: string): readonly string[] {
  const titles = source.matchAll(/\b(?:test|meaning|refusal)\(\s*(['"`])((?:\[[A-Z]\d+\] ?)+)/g)
  return [...titles].flatMap(([, , marks]) => marksOf(marks ?? ''))
}

test('each mark stands once on the page, at the end of a sentence of a list', () => {
  const intro = page.slice(page.indexOf('## Documents'))
  const sentences = intro.split('\n- ').slice(1)
  const marks = sentences.map((sentence) => /\. `\[([A-Z]\d+)\]`(?:\n|$)/.exec(sentence)?.[1] ?? `none: ${sentence}`)
  expect(marks).toEqual([...new Set(marks)])
  expect([...marks].sort()).toEqual([...new Set(marksOf(intro))].sort())
})

test('marks of the page and of the tests are the same', () => {
  const files = globSync('core/policy/**/*.test.ts', { cwd: root })
  const pinned = new Set(files.flatMap((file) => titleMarks(readFileSync(new URL(file, root), 'utf8'))))
  expect([...pinned].sort()).toEqual([...new Set(marksOf(page))].sort())
})
