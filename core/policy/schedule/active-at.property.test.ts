/**
 * Against a model that asks the wall clock minute by minute: `Intl` prints the weekday and the date, a table of all days says which came before. Nothing
 * is shared with the code under test, and no arithmetic with offsets is done.
 */
import type { Policy, Rule, Schedule, ScheduleWindow } from '@hyperward/model'
import { toRuleRef } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { activeAt, nextChange } from './active-at.ts'
import { createScheduleTimes } from './schedule-times.ts'

const minuteMs = 60_000
const dayMs = 1440 * minuteMs
/** 2024-01-01 and 2027-12-31, 00:00 UTC. */
const firstMs = 1_704_067_200_000
const lastMs = 1_830_211_200_000

const zones = [
  'Etc/UTC',
  'Asia/Shanghai',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
  'America/Santiago',
  'Africa/Casablanca',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
] as const

const calendar = listDays(2023, 2028)
const dayBefore = new Map(calendar.map((day, index) => [day, calendar[index - 1] ?? '']))
/** 2023-01-01 was a Sunday. */
const weekdayOf = new Map(calendar.map((day, index) => [day, ((index + 6) % 7) + 1]))

function listDays(fromYear: number, toYear: number): readonly string[] {
  const days: string[] = []
  for (let year = fromYear; year <= toYear; year += 1) {
    const lengths = [31, year % 4 === 0 ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    for (const [month, length] of lengths.entries())
      for (let day = 1; day <= length; day += 1)
        days.push(`${year}-${String(month + 1).padStart(2, '0')}-${String(day).padStart(2, '0')}`)
  }
  return days
}

function createModel({ timeZone, windows }: Schedule): (ms: number) => boolean {
  const wall = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return (ms) => {
    const [today = '', time = ''] = wall.format(ms).split(' ')
    const minute = Number(time.slice(0, 2)) * 60 + Number(time.slice(3))
    const begins = (window: ScheduleWindow, day: string): boolean =>
      window.days.includes(weekdayOf.get(day) ?? 0) &&
      day >= (window.firstDay ?? '') &&
      day <= (window.lastDay ?? '9999')
    return windows.some((window) =>
      window.to > window.from
        ? begins(window, today) && minute >= window.from && minute < window.to
        : (begins(window, today) && minute >= window.from) ||
          (begins(window, dayBefore.get(today) ?? '') && minute < window.to),
    )
  }
}

const arbitraryTime = fc.oneof(
  fc.nat(1439),
  fc.nat(23).map((hour) => hour * 60),
  fc.integer({ min: 60, max: 200 }),
)
const arbitraryWindow: fc.Arbitrary<ScheduleWindow> = fc
  .record({
    days: fc.oneof(fc.constant([1, 2, 3, 4, 5, 6, 7]), fc.subarray([1, 2, 3, 4, 5, 6, 7], { minLength: 1 })),
    from: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: arbitraryTime }),
    to: fc.oneof({ weight: 1, arbitrary: fc.constant(1440) }, { weight: 4, arbitrary: arbitraryTime }),
    firstDay: fc.option(fc.constantFrom(...calendar)),
    lastDay: fc.option(fc.constantFrom(...calendar)),
  })
  .map(({ days, from, to, firstDay, lastDay }) => ({
    days,
    from,
    to,
    ...(firstDay === null ? {} : { firstDay }),
    ...(lastDay === null ? {} : { lastDay }),
  }))
const arbitrarySchedule: fc.Arbitrary<Schedule> = fc.record({
  name: fc.constant('acme/hours'),
  timeZone: fc.constantFrom(...zones),
  windows: fc.array(arbitraryWindow, { minLength: 1, maxLength: 3 }),
})

/** A zone, and a moment at which it moves its clocks. */
const jumps = [
  ['Europe/Berlin', '2025-03-30T01:00Z'],
  ['Europe/Berlin', '2025-10-26T01:00Z'],
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
] as const
const arbitraryMoment = fc
  .integer({ min: firstMs / minuteMs, max: lastMs / minuteMs })
  .map((minute) => minute * minuteMs)
/** Half of them around such a moment. */
const arbitraryCase = fc.oneof(
  fc.record({ schedule: arbitrarySchedule, moment: arbitraryMoment }),
  fc
    .tuple(arbitrarySchedule, fc.constantFrom(...jumps), fc.integer({ min: -1500, max: 200 }))
    .map(([schedule, [timeZone, jump], minutes]) => ({
      schedule: { ...schedule, timeZone },
      moment: toMs(jump) + minutes * minuteMs,
    })),
)

function toMs(text: string): number {
  return calendar.indexOf(text.slice(0, 10)) * dayMs + Number(text.slice(11, 13)) * 60 * minuteMs + 1_672_531_200_000
}

test('a schedule holds when the wall clock stands in one of its windows', () => {
  fc.assert(
    fc.property(
      arbitraryCase,
      fc.array(fc.nat(3000), { minLength: 5, maxLength: 20 }),
      ({ schedule, moment }, minutes) => {
        const { holds } = createScheduleTimes(schedule)
        const model = createModel(schedule)
        for (const ms of minutes.map((minute) => moment + minute * minuteMs))
          expect([ms, holds(ms)]).toEqual([ms, model(ms)])
      },
    ),
    { seed: 20_260_601, numRuns: 150 },
  )
})

test('the next toggle is the first minute at which the wall clock says otherwise', () => {
  let found = 0
  fc.assert(
    fc.property(arbitraryCase, fc.nat(59_999), ({ schedule, moment: minute }, within) => {
      const now = minute + within
      const model = createModel(schedule)
      const before = model(now)
      let first: number | null = null
      for (let ms = minute + minuteMs; first === null && ms < minute + 9 * dayMs; ms += minuteMs)
        if (model(ms) !== before) first = ms
      const next = createScheduleTimes(schedule).nextToggle(now)
      if (first !== null) expect(next).toBe(first)
      else if (next !== null) {
        // too far for walking: it must be a toggle, and nothing may have happened in the days before it
        expect(next).toBeGreaterThan(minute + 8 * dayMs)
        expect([model(next - minuteMs), model(next)]).toEqual([before, !before])
      }
      found += first === null ? 0 : 1
    }),
    { seed: 20_260_602, numRuns: 120 },
  )
  expect(found).toBeGreaterThan(40)
})

function toRule(index: number, schedule: Schedule | null, expires: number | null): Rule {
  return {
    ref: toRuleRef('platform', null, 'p', `r${index}`),
    tier: 'platform',
    tenant: null,
    policy: 'p',
    name: `r${index}`,
    source: { kind: 'any', except: [] },
    destination: { kind: 'any', except: [] },
    service: { kind: 'any' },
    directions: ['ingress'],
    action: 'allow',
    log: false,
    monitor: false,
    ...(schedule === null ? {} : { schedule }),
    ...(expires === null ? {} : { expires }),
  }
}

const arbitraryPolicy: fc.Arbitrary<Policy> = fc
  .array(fc.record({ schedule: fc.option(arbitrarySchedule), expires: fc.option(arbitraryMoment) }), { maxLength: 4 })
  .map((rules) => ({
    tenants: [],
    groups: [],
    rules: rules.map(({ schedule, expires }, index) => toRule(index, schedule, expires)),
    guarantees: [],
  }))

test('rules come and go at nextChange, not before, and a policy is the same object while none is left out', () => {
  fc.assert(
    fc.property(
      arbitraryPolicy,
      arbitraryMoment,
      fc.array(fc.nat(1_000_000), { maxLength: 8 }),
      (policy, now, parts) => {
        const active = activeAt(policy, now)
        const names = (one: Policy): readonly string[] => one.rules.map((rule) => rule.name)
        expect(active === policy).toBe(active.rules.length === policy.rules.length)
        expect(active.rules.length + (active.inactive?.length ?? 0)).toBe(policy.rules.length)
        for (const { rule, ordinal, reason } of active.inactive ?? []) {
          expect(policy.rules[ordinal]).toBe(rule)
          expect(reason).toBe((rule.expires ?? Infinity) <= now ? 'expired' : 'schedule')
        }
        const next = nextChange(policy, now)
        expect(nextChange(active, now)).toBe(next)
        const end = next ?? now + 400 * dayMs
        for (const part of parts)
          expect(names(activeAt(policy, now + Math.floor((end - now - 1) * (part / 1_000_000))))).toEqual(names(active))
        if (next === null) return
        expect(names(activeAt(policy, next - 1))).toEqual(names(active))
        expect(names(activeAt(policy, next))).not.toEqual(names(active))
        // from an active policy as from the whole one
        expect(names(activeAt(active, next))).toEqual(names(activeAt(policy, next)))
      },
    ),
    { seed: 20_260_603, numRuns: 150 },
  )
})

test('the hour that summer time skips hides a window, the hour it gives back shows it twice', () => {
  const days = [1, 2, 3, 4, 5, 6, 7]
  const early: Schedule = { name: '/early', timeZone: 'Europe/Berlin', windows: [{ days, from: 135, to: 165 }] }
  const { holds, nextToggle } = createScheduleTimes(early)
  const spring = toMs('2025-03-30T00:00Z')
  expect([0, 45, 60, 75, 105].map((minute) => holds(spring + minute * minuteMs))).toEqual([
    false,
    false,
    false,
    false,
    false,
  ])
  expect(nextToggle(spring)).toBe(toMs('2025-03-31T00:00Z') + 15 * minuteMs)
  const autumn = toMs('2025-10-26T00:00Z')
  expect([0, 15, 44, 45, 60, 75, 104, 105].map((minute) => holds(autumn + minute * minuteMs))).toEqual([
    false,
    true,
    true,
    false,
    false,
    true,
    true,
    false,
  ])
})

test('what never changes says so', () => {
  const always: Schedule = {
    name: '/always',
    timeZone: 'Europe/Berlin',
    windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: 0, to: 1440 }],
  }
  expect(createScheduleTimes(always).nextToggle(firstMs)).toBeNull()
  const past: Schedule = { ...always, windows: [{ days: [1], from: 0, to: 60, lastDay: '2023-12-31' }] }
  expect(createScheduleTimes(past).nextToggle(firstMs)).toBeNull()
})

test('a window that begins years from now is found, and at once', () => {
  const far: Schedule = {
    name: '/far',
    timeZone: 'Asia/Shanghai',
    windows: [{ days: [5], from: 480, to: 540, firstDay: '2027-06-01', lastDay: '2027-06-30' }],
  }
  // the first Friday, 08:00 in Shanghai
  expect(createScheduleTimes(far).nextToggle(firstMs)).toBe(toMs('2027-06-04T00:00Z'))
})
