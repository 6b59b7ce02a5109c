/**
 * When a schedule holds. The clock on the wall decides: what it shows twice (the hour that summer time gives back) counts twice, what it never shows not at all.
 */
import type { Schedule, ScheduleWindow } from '@hyperward/model'

import { dayMs, parseDay, toWeekday } from './civil-day.ts'
import { createZoneClock, type ZoneClock } from './zone-clock.ts'

const minuteMs = 60_000
/** Three weeks: a whole week of every window, though summer time may hide one on its day. */
const settledDays = 22

export interface ScheduleTimes {
  readonly holds: (ms: number) => boolean
  /** The first moment after `ms` at which `holds` is another; null = it never will be. */
  readonly nextToggle: (ms: number) => number | null
}

interface Window {
  readonly days: ReadonlySet<number>
  readonly firstDay: number
  readonly lastDay: number
  /** Milliseconds after the local midnight of the day on which it begins. */
  readonly from: number
  readonly to: number
}

export function createScheduleTimes(schedule: Schedule): ScheduleTimes {
  const clock = createZoneClock(schedule.timeZone)
  const windows = schedule.windows.map(toWindow)
  const holds = (ms: number): boolean => holdsOnWall(windows, clock(ms))
  return { holds, nextToggle: (ms) => findToggle(windows, clock, ms) }
}

function toWindow({ days, from, to, firstDay, lastDay }: ScheduleWindow): Window {
  return {
    days: new Set(days),
    firstDay: readDay(firstDay) ?? Number.NEGATIVE_INFINITY,
    lastDay: readDay(lastDay) ?? Number.POSITIVE_INFINITY,
    from: from * minuteMs,
    to: (to > from ? to : to + 1440) * minuteMs,
  }
}

function readDay(text: string | undefined): number | null {
  return text === undefined ? null : parseDay(text)
}

function beginsOn(window: Window, day: number): boolean {
  return day >= window.firstDay && day <= window.lastDay && window.days.has(toWeekday(day))
}

function holdsOnWall(windows: readonly Window[], wall: number): boolean {
  const today = Math.floor(wall / dayMs)
  return windows.some((window) =>
    [today - 1, today].some((day) => {
      const time = wall - day * dayMs
      return time >= window.from && time < window.to && beginsOn(window, day)
    }),
  )
}

/** Day by day; between dates at which windows begin or end for good, no longer than until every week looks the same. */
function findToggle(windows: readonly Window[], clock: ZoneClock, now: number): number | null {
  const before = holdsOnWall(windows, clock(now))
  const dates = windows
    .flatMap(({ firstDay, lastDay }) => [firstDay, lastDay])
    .filter((day) => Number.isFinite(day))
    .sort((a, b) => a - b)
  let next = 0
  let start = now
  let until = now + settledDays * dayMs
  for (;;) {
    for (; start < until; start += dayMs) {
      const found = candidates(windows, clock, start).find(
        (ms) => ms > now && holdsOnWall(windows, clock(ms)) !== before,
      )
      if (found !== undefined) return found
    }
    // dates are local and zones a day wide at most: two days early is early enough
    while (next < dates.length && ((dates[next] ?? 0) + settledDays) * dayMs <= until) next += 1
    const date = dates[next]
    if (date === undefined) return null
    start = Math.max(start, (date - 2) * dayMs)
    until = (date + settledDays) * dayMs
  }
}

/** Moments of the day from `start` at which some window may begin or end, ascending. */
function candidates(windows: readonly Window[], clock: ZoneClock, start: number): readonly number[] {
  const end = start + dayMs
  const jump = findJump(clock, start, end)
  const pieces = jump === null ? [[start, end] as const] : [[start, jump] as const, [jump, end] as const]
  const found = jump === null ? [] : [jump]
  for (const [from, to] of pieces) {
    const offset = clock(from) - from
    const firstDay = Math.floor((from + offset) / dayMs) - 1
    const lastDay = Math.floor((to + offset) / dayMs)
    for (const window of windows) {
      for (let day = firstDay; day <= lastDay; day += 1) {
        if (!beginsOn(window, day)) continue
        for (const edge of [window.from, window.to]) {
          const ms = day * dayMs + edge - offset
          if (ms >= from && ms <= to) found.push(ms)
        }
      }
    }
  }
  return found.sort((a, b) => a - b)
}

/** The moment in (from, to] at which the zone's offset changes; zones change it once in a day at most. */
function findJump(clock: ZoneClock, from: number, to: number): number | null {
  const offset = clock(from) - from
  if (clock(to) - to === offset) return null
  let before = from
  let after = to
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (clock(middle) - middle === offset) before = middle
    else after = middle
  }
  return after
}
