import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { findBenches } from './find-benches.ts'

test('a folder’s benches are found by name, and one that cannot be loaded hides no other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hw-benches-'))
  try {
    const good = "export const bench = { name: 'good', summary: 'counts', run: async () => ({ count: 1 }) }\n"
    writeFileSync(join(folder, 'good.ts'), good)
    writeFileSync(join(folder, 'misnamed.ts'), good)
    writeFileSync(join(folder, 'broken.ts'), "throw new Error('broken inside')\n")
    writeFileSync(join(folder, 'main.ts'), "throw new Error('main is not a bench')\n")
    writeFileSync(join(folder, 'good.test.ts'), "throw new Error('a test is not a bench')\n")
    const found = await findBenches(folder)
    expect(found.map((entry) => [entry.name, entry.ok ? entry.bench.summary : entry.reason])).toEqual([
      ['broken', 'broken inside'],
      ['good', 'counts'],
      ['misnamed', 'bench/misnamed.ts does not export a bench of that name'],
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
