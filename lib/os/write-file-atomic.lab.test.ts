import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { execOk } from './exec.ts'
import { writeFileAtomic } from './write-file-atomic.ts'

test('a full disk is a coded error and the old file stays', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hwt-os-'))
  await execOk('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'hwt-full', directory])
  try {
    const path = join(directory, 'plan.json')
    await writeFileAtomic(path, 'old')
    await expect(writeFileAtomic(path, 'x'.repeat(200_000))).rejects.toMatchObject({ code: 'os.no-space' })
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(directory)).toEqual(['plan.json'])
  } finally {
    await execOk('umount', [directory])
    rmSync(directory, { recursive: true })
  }
})
