/** Calls at a moment of the center's clock. Looks at the clock every so often, so that one that is set does not keep it waiting. */
export interface ScheduleTimer {
  /** Milliseconds since 1970 UTC, in place of what was set before; null = never. */
  set(at: number | null): void
  stop(): void
}

export function createScheduleTimer(options: {
  readonly clock: () => Date
  readonly onDue: () => void
  readonly lookEveryMs: number
}): ScheduleTimer {
  const { clock, onDue, lookEveryMs } = options
  let timer: NodeJS.Timeout | null = null
  const clear = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
  }
  const wait = (at: number): void => {
    const left = at - clock().getTime()
    timer = setTimeout(() => (clock().getTime() >= at ? onDue() : wait(at)), Math.min(Math.max(left, 0), lookEveryMs))
    timer.unref()
  }
  return {
    set(at) {
      clear()
      if (at !== null) wait(at)
    },
    stop: clear,
  }
}
