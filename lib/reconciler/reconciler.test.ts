import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { createReconciler, type Reconciler, type Round, type RoundReport } from './reconciler.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

interface Bench {
  readonly loop: Reconciler<Round>
  readonly reports: RoundReport<Round>[]
  /** Rounds wait until this is called, when `hold` was given. */
  release(): void
  overlap: number
}

function makeLoop(answers: (Round | Error)[], hold = false): Bench {
  const reports: RoundReport<Round>[] = []
  let inside = 0
  let release: () => void = () => undefined
  const bench: Bench = {
    reports,
    overlap: 0,
    release: () => release(),
    loop: createReconciler<Round>({
      async round() {
        inside += 1
        bench.overlap = Math.max(bench.overlap, inside)
        if (hold) await new Promise<void>((resolve) => (release = resolve))
        inside -= 1
        const answer = answers.shift() ?? unchanged
        if (answer instanceof Error) throw answer
        return answer
      },
      onRound: (report) => void reports.push(report),
      intervalMs: 5000,
      backoff: { minMs: 200, maxMs: 10_000 },
      now: () => Date.now(),
      random: () => 0.999,
    }),
  }
  return bench
}

const unchanged: Round = { outcome: 'unchanged', reason: null }
const failed: Round = { outcome: 'failed', reason: 'the kernel said no' }

test('the first round runs at once, the next after the interval', async () => {
  const { loop, reports } = makeLoop([])
  loop.start()
  await vi.advanceTimersByTimeAsync(0)
  expect(reports.map((r) => r.causes)).toEqual([['interval']])
  await vi.advanceTimersByTimeAsync(4999)
  expect(reports).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(reports).toHaveLength(2)
})

test('triggers close together make one round that tells each cause once', async () => {
  const { loop, reports } = makeLoop([])
  loop.start()
  await vi.advanceTimersByTimeAsync(1)
  loop.trigger('vm-started')
  loop.trigger('vm-started')
  loop.trigger('plan')
  await vi.advanceTimersByTimeAsync(1)
  expect(reports.map((r) => r.causes)).toEqual([['interval'], ['vm-started', 'plan']])
})

test('rounds never overlap, and triggers during one make exactly one more', async () => {
  const bench = makeLoop([], true)
  bench.loop.start()
  await vi.advanceTimersByTimeAsync(1)
  for (let i = 0; i < 10; i++) bench.loop.trigger('event')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(bench.reports).toHaveLength(0)
  bench.release()
  await vi.advanceTimersByTimeAsync(1)
  bench.release()
  await vi.advanceTimersByTimeAsync(1)
  expect(bench.reports.map((r) => r.causes)).toEqual([['interval'], ['event']])
  expect(bench.overlap).toBe(1)
})

test('a request is answered by a round that began after it', async () => {
  const bench = makeLoop([unchanged, { outcome: 'applied', reason: null }], true)
  bench.loop.start()
  await vi.advanceTimersByTimeAsync(1)
  const answer = bench.loop.request('plan')
  bench.release()
  await vi.advanceTimersByTimeAsync(1)
  bench.release()
  await vi.advanceTimersByTimeAsync(1)
  expect((await answer).outcome).toBe('applied')
})

test('failed rounds back off, and a trigger then waits for the first step only', async () => {
  const { loop, reports } = makeLoop([failed, failed, failed, failed])
  loop.start()
  await vi.advanceTimersByTimeAsync(0)
  await vi.advanceTimersByTimeAsync(199)
  expect(reports).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(reports).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(399)
  expect(reports).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1)
  expect(reports).toHaveLength(3)
  // 800 ms to go; a trigger shortens it to 200
  loop.trigger('vm-started')
  await vi.advanceTimersByTimeAsync(199)
  expect(reports).toHaveLength(3)
  await vi.advanceTimersByTimeAsync(1)
  expect(reports).toHaveLength(4)
})

test('a round that throws is a failed round and the loop goes on', async () => {
  const { loop, reports } = makeLoop([new Error('a bug')])
  loop.start()
  await vi.advanceTimersByTimeAsync(300)
  expect(reports.map((r) => [r.outcome, r.reason])).toEqual([
    ['failed', 'a bug'],
    ['unchanged', null],
  ])
})

test('stop waits for the running round and starts no other', async () => {
  const bench = makeLoop([], true)
  bench.loop.start()
  await vi.advanceTimersByTimeAsync(1)
  bench.loop.trigger('late')
  const stopped = bench.loop.stop()
  bench.release()
  await stopped
  await vi.advanceTimersByTimeAsync(60_000)
  expect(bench.reports).toHaveLength(1)
})
