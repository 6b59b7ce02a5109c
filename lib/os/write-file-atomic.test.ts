import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'

import { readFileIfExists } from './read-file-if-exists.ts'
import { writeFileAtomic } from './write-file-atomic.ts'

const directory = mkdtempSync(join(tmpdir(), 'hwt-os-'))
afterAll(() => rmSync(directory, { recursive: true }))

test('replaces the file, readable by its owner only unless asked otherwise', async () => {
  const path = join(directory, 'a')
  writeFileSync(path, 'old', { mode: 0o644 })
  await writeFileAtomic(path, 'new')
  expect(readFileSync(path, 'utf8')).toBe('new')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  await writeFileAtomic(path, new Uint8Array([1, 2]), { mode: 0o640 })
  expect(statSync(path).mode & 0o777).toBe(0o640)
  expect(readdirSync(directory)).toEqual(['a'])
})

test('a failed write leaves the old content and nothing beside it', async () => {
  const path = join(directory, 'a')
  await writeFileAtomic(path, 'kept')
  await expect(writeFileAtomic(join(path, 'inside'), 'x')).rejects.toMatchObject({ code: 'os.file-unwritable' })
  expect(readFileSync(path, 'utf8')).toBe('kept')
  expect(readdirSync(directory)).toEqual(['a'])
})

test('absent is null, unreadable is unknown', async () => {
  expect(await readFileIfExists(join(directory, 'absent'))).toEqual({ known: true, value: null })
  expect(await readFileIfExists(directory)).toMatchObject({ known: false })
})
