/** Lets flows and events go after some days, or beyond a number, and counters of rules that are gone: the store never grows without end. In small portions, so that reports are not held up. */
import { deleteBefore, deleteBeyond, deleteCountersBefore, type Store } from '@hyperward/store'

import type { Publisher } from './publisher.ts'

export interface RetentionLimits {
  readonly flowDays: number
  readonly eventDays: number
  /** Of a rule that no host reports any more. */
  readonly counterDays: number
  readonly flowRows: number
  readonly eventRows: number
}

export const retentionDefaults: RetentionLimits = {
  flowDays: 14,
  eventDays: 90,
  counterDays: 90,
  flowRows: 20_000_000,
  eventRows: 2_000_000,
}

const dayMs = 86_400_000
const intervalMs = 10 * 60_000
const batch = 10_000

export function startRetention(
  dependencies: {
    readonly store: Store
    readonly publisher: Pick<Publisher, 'prune'>
    readonly clock: () => Date
    readonly onFailure: (error: unknown) => void
  },
  limits: Partial<RetentionLimits>,
): { stop(): void } {
  const { store, publisher, clock, onFailure } = dependencies
  let running = false
  const timer = setInterval(() => {
    if (running) return
    running = true
    applyRetention(store, clock(), limits)
      .then(() => publisher.prune())
      .catch(onFailure)
      .finally(() => (running = false))
  }, intervalMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

/** Tells how many rows went. */
export async function applyRetention(
  store: Store,
  now: Date,
  given: Partial<RetentionLimits>,
): Promise<{ readonly flows: number; readonly events: number; readonly counters: number }> {
  const limits = { ...retentionDefaults, ...given }
  return {
    flows: await trim(store, 'flow', now, limits.flowDays, limits.flowRows),
    events: await trim(store, 'event', now, limits.eventDays, limits.eventRows),
    counters: await deleteCountersBefore(store, new Date(now.getTime() - limits.counterDays * dayMs)),
  }
}

async function trim(store: Store, table: 'flow' | 'event', now: Date, days: number, rows: number): Promise<number> {
  const before = new Date(now.getTime() - days * dayMs)
  let gone = 0
  for (;;) {
    const old = await deleteBefore(store, table, before, batch)
    const beyond = await deleteBeyond(store, table, rows, batch)
    gone += old + beyond
    if (old < batch && beyond < batch) return gone
  }
}
