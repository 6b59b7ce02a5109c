import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execOk, readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { parseHostPlan } from '@hyperward/policy'
import { expect, test } from 'vitest'

import { sampleHost, samplePlan } from '../testing/sample-plan.ts'
import { createPlanStore } from './plan-store.ts'

test('a new plan that a full disk cannot keep is refused with a code, and the old one stays in force', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'hwa-full-'))
  await execOk('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'hwa-full', stateDir])
  try {
    const openStore = (): ReturnType<typeof createPlanStore> =>
      createPlanStore({
        stateDir,
        host: sampleHost,
        parsePlan: (text) => parseHostPlan(text, sha256Hex),
        readFile: readFileIfExists,
        writeFile: (path, text) => writeFileAtomic(path, text),
      })
    const store = openStore()
    const small = samplePlan(1, [1])
    const large = samplePlan(
      2,
      Array.from({ length: 500 }, (_, n) => n + 1),
    )
    await store.accept(small.text, small.plan)
    await expect(store.accept(large.text, large.plan)).rejects.toMatchObject({ code: 'os.no-space' })
    expect(store.held()).toMatchObject({ kind: 'held', plan: { digest: small.plan.digest } })
    expect(readFileSync(join(stateDir, 'plan.json'), 'utf8')).toBe(small.text)
    // a restart now: the old plan is enforced, and nothing older than what was offered gets in
    const after = openStore()
    expect(await after.load()).toMatchObject({ kind: 'held', plan: { digest: small.plan.digest } })
  } finally {
    await execOk('umount', [stateDir])
    rmSync(stateDir, { recursive: true })
  }
})
