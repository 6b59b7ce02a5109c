import { dayMs, toDayNumber } from './civil-day.ts'

/** What the clock on the wall of a zone shows at a moment: milliseconds since 1970-01-01 00:00 on that wall. Throws on a zone that there is not. */
export type ZoneClock = (ms: number) => number

export function createZoneClock(timeZone: string): ZoneClock {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
    const read = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const day = toDayNumber(read('year'), read('month'), read('day'))
    const seconds = read('hour') * 3600 + read('minute') * 60 + read('second')
    return day * dayMs + seconds * 1000 + (((ms % 1000) + 1000) % 1000)
  }
}
