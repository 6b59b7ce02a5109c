// The product as its user first meets it: scripts/demo's program, with nothing but its own output believed.
import { join } from 'node:path'

import { exec, start } from '@hyperward/os'
import { findLab, waitFor } from '@hyperward/testkit'
import { expect, test } from 'vitest'

const demo = join(import.meta.dirname, '../../apps/demo/main.ts')

async function leftovers(): Promise<string> {
  const namespaces = (await exec('ip', ['netns', 'list'])).stdout
  const mounts = (await exec('findmnt', ['-rno', 'TARGET'])).stdout
  return [...namespaces.split('\n'), ...mounts.split('\n')].filter((line) => line.includes('hwd')).join('\n')
}

test('the main job: every expectation holds, and nothing is left behind', { timeout: 400_000 }, async () => {
  const run = await exec(process.execPath, [demo, '--once'], { timeoutMs: 390_000 })
  const missed = run.stdout.split('\n').filter((line) => line.includes('NOT AS EXPECTED'))
  expect(missed, run.stderr).toEqual([])
  const [, held, all] = /^(\d+) of (\d+) as expected$/m.exec(run.stdout) ?? []
  expect(held).toBe(all)
  expect(Number(all)).toBeGreaterThan(70)
  expect(run.code).toBe(0)
  expect(await leftovers()).toBe('')
})

test(
  'a demo that is killed is removed by the next one; one that is interrupted removes itself',
  { timeout: 120_000 },
  async () => {
    const killed = await start(process.execPath, [demo])
    await waitFor(async () => (await leftovers()) !== '', { timeoutMs: 30_000, what: 'the first hosts' })
    killed.signal('SIGKILL')
    await killed.exited
    expect(await leftovers()).not.toBe('')
    const next = await start(process.execPath, [demo])
    await waitFor(async () => (await findLab('hwd'))?.owner.pid === next.pid, {
      timeoutMs: 30_000,
      what: 'the next lab',
    })
    await waitFor(async () => (await leftovers()) !== '', { timeoutMs: 30_000, what: 'its first hosts' })
    process.kill(next.pid, 'SIGINT')
    expect((await next.exited).code).toBe(130)
    expect(await leftovers()).toBe('')
  },
)
