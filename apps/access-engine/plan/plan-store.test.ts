import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { parseHostPlan } from '@hyperward/policy'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { sampleHost, samplePlan, toRevision } from '../testing/sample-plan.ts'
import { createPlanStore, type PlanStore } from './plan-store.ts'

let stateDir = ''
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'hwa-plan-'))
})
afterEach(() => rmSync(stateDir, { recursive: true }))

function openStore(writeFile = writeFileAtomic): PlanStore {
  return createPlanStore({
    stateDir,
    host: sampleHost,
    parsePlan: (text) => parseHostPlan(text, sha256Hex),
    readFile: readFileIfExists,
    writeFile: (path, text) => writeFile(path, text),
  })
}

async function accept(store: PlanStore, made: ReturnType<typeof samplePlan>): Promise<void> {
  await store.accept(made.text, { revision: made.plan.revision, digest: made.plan.digest })
}

test('an accepted plan is on disk before it is held, and a new start holds it', async () => {
  const made = samplePlan(3, [1])
  const store = openStore()
  await accept(store, made)
  expect(readFileSync(join(stateDir, 'plan.json'), 'utf8')).toBe(made.text)
  const again = await openStore().load()
  expect(again).toMatchObject({ kind: 'held', revision: 3, plan: { digest: made.plan.digest } })
})

test('a revision older than the one held is refused, also after a restart', async () => {
  await accept(openStore(), samplePlan(7, [1, 2]))
  const store = openStore()
  await store.load()
  await expect(accept(store, samplePlan(6, [1]))).rejects.toMatchObject({ code: 'plan.stale' })
  expect(store.held()).toMatchObject({ kind: 'held', revision: 7 })
  expect(readFileSync(join(stateDir, 'plan.json'), 'utf8')).toBe(samplePlan(7, [1, 2]).text)
})

test('an old plan announced under a new revision is refused by what its own text says', async () => {
  const store = openStore()
  await accept(store, samplePlan(7, [1, 2]))
  const old = samplePlan(6, [1])
  const lie = { revision: toRevision(8), digest: old.plan.digest }
  await expect(store.accept(old.text, lie)).rejects.toMatchObject({ code: 'plan.stale' })
})

test('another content under the revision held is refused', async () => {
  const store = openStore()
  await accept(store, samplePlan(7, [1, 2]))
  await expect(accept(store, samplePlan(7, [1]))).rejects.toMatchObject({ code: 'plan.stale' })
  await accept(store, samplePlan(7, [1, 2]))
})

test('a damaged saved plan is unreadable, not absent, and its revision still keeps older ones out', async () => {
  await accept(openStore(), samplePlan(7, [1, 2]))
  writeFileSync(join(stateDir, 'plan.json'), samplePlan(7, [1, 2]).text.slice(0, 200))
  const store = openStore()
  expect(await store.load()).toMatchObject({ kind: 'unreadable', revision: 7 })
  await expect(accept(store, samplePlan(6, [1]))).rejects.toMatchObject({ code: 'plan.stale' })
  // the same revision whole again puts it right
  await accept(store, samplePlan(7, [1, 2]))
  expect(store.held()).toMatchObject({ kind: 'held', revision: 7 })
})

test('a saved plan that was deleted is unreadable, and one whose floor was deleted still tells its revision', async () => {
  await accept(openStore(), samplePlan(7, [1]))
  rmSync(join(stateDir, 'plan-floor.json'))
  expect(await openStore().load()).toMatchObject({ kind: 'held', revision: 7 })
  await accept(openStore(), samplePlan(7, [1]))
  rmSync(join(stateDir, 'plan.json'))
  expect(await openStore().load()).toMatchObject({ kind: 'unreadable', revision: 7 })
})

const refusals: readonly (readonly [string, string, (text: string) => string])[] = [
  ['cut off', 'plan.malformed', (text) => text.slice(0, -20)],
  ['empty', 'plan.malformed', () => ''],
  ['with an unknown field', 'plan.malformed', (text) => text.replace('{', '{"extra":1,')],
  ['with a changed name', 'plan.wrong-digest', (text) => text.replace('"vm1"', '"vm9"')],
]
for (const [what, code, damage] of refusals) {
  test(`a plan ${what} is refused and the one before stays`, async () => {
    const store = openStore()
    const before = samplePlan(1, [1])
    await accept(store, before)
    const next = samplePlan(2, [1, 2])
    const announced = { revision: next.plan.revision, digest: next.plan.digest }
    await expect(store.accept(damage(next.text), announced)).rejects.toMatchObject({ code })
    expect(store.held()).toMatchObject({ kind: 'held', revision: 1 })
    expect(readFileSync(join(stateDir, 'plan.json'), 'utf8')).toBe(before.text)
  })
}

test('a plan other than the one announced, or of another host, is refused', async () => {
  const store = openStore()
  const announced = { revision: toRevision(2), digest: samplePlan(2, [1]).plan.digest }
  await expect(store.accept(samplePlan(2, [2]).text, announced)).rejects.toMatchObject({ code: 'plan.wrong-digest' })
  // host names are branded by their parser; this one is as good as any
  const foreign = samplePlan(2, [1], 'other-host' as typeof sampleHost)
  await expect(accept(store, foreign)).rejects.toMatchObject({ code: 'plan.wrong-host' })
  expect(store.held()).toEqual({ kind: 'none' })
})

test('a newer revision of the same content moves the floor without a new plan', async () => {
  const store = openStore()
  await accept(store, samplePlan(3, [1]))
  await store.advance(toRevision(9))
  expect(await openStore().load()).toMatchObject({ kind: 'held', revision: 9, plan: { revision: 3 } })
})
