/** Calls at a moment of the center's clock. Looks at the clock every so often, so that one that is set does not keep it waiting. */
export interface ScheduleTimer {
  /**
   * Milliseconds since 1970 UTC, in place of what was set before; null = never. What is in force was chosen at `since`: a clock that is set to before
   * it makes it due at once, for what held then may not hold now.
   */
  set(at: number | null, since: number): void
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
  const wait = (at: number, since: number): void => {
    const look = (): void => {
      const now = clock().getTime()
      if (now >= at || now < since) onDue()
      else wait(at, since)
    }
    const left = at - clock().getTime()
    timer = setTimeout(look, Math.min(Math.max(left, 0), lookEveryMs))
    timer.unref()
  }
  return {
    set(at, since) {
      clear()
      wait(at ?? Number.POSITIVE_INFINITY, since)
    },
    stop: clear,
  }
}
