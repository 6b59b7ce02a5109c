import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCli } from './testing/run-cli.ts'

const golden = join(import.meta.dirname, '../../tests/golden/tiers-decide-in-order')
const policy = join(golden, 'policy.yaml')
const inventory = join(golden, 'inventory.yaml')
let directory: string
let changed: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hwi-offline-'))
  changed = join(directory, 'changed.yaml')
  const text = await readFile(policy, 'utf8')
  await writeFile(changed, text.replace(/(web-to-db.*action: )allow/s, '$1drop'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('plan and explain need no center', async () => {
  const plan = await runCli(['plan', policy, '--inventory', inventory])
  expect([plan.code, plan.stdout]).toEqual([0, expect.stringMatching(/^north +1 +6/m)])
  const explained = await runCli(['explain', 'web-1', 'db-1', 'tcp/5432', '--policy', policy, '--inventory', inventory])
  expect([explained.code, explained.stdout]).toEqual([
    0,
    expect.stringContaining('ingress: allow – acme / shop / web-to-db'),
  ])
})

test('diff of two files tells the connections that change verdict and the rules that were changed', async () => {
  const { code, stdout } = await runCli(['diff', changed, '--against', policy, '--inventory', inventory, '--exit-code'])
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /closed +acme\/web +acme\/db .*allow – acme \/ shop \/ web-to-db +drop – acme \/ shop \/ web-to-db/,
  )
  expect(stdout).toMatch(/changed +acme \/ shop \/ web-to-db/)
  const same = await runCli(['diff', policy, '--against', policy, '--inventory', inventory, '--exit-code'])
  expect([same.code, same.stdout]).toEqual([0, 'No connection changes its verdict.\nThe rules are the same.\n'])
})
