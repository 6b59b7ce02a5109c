/** Dates of documents. Checked by hand: `Date.parse` takes much that is no date, and reads times without a zone differently from machine to machine. */
import type { DocumentReader, Field } from '../document/document-reader.ts'

const dayPattern = /^(\d{4})-(\d{2})-(\d{2})$/
const momentPattern = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/
const dayMs = 86_400_000

/** Milliseconds of 00:00 UTC of a `YYYY-MM-DD` that exists, from the year 1970. */
export function parseDay(text: string): number | null {
  const match = dayPattern.exec(text)
  if (match === null) return null
  const [year, month, day] = match.slice(1).map(Number)
  if (year === undefined || month === undefined || day === undefined || year < 1970) return null
  const time = Date.UTC(year, month - 1, day)
  return new Date(time).toISOString().slice(0, 10) === text ? time : null
}

/** ISO 8601 (RFC 3339) date-time with its zone, or a date = 00:00 UTC of that day. */
export function parseMoment(text: string): number | null {
  const match = momentPattern.exec(text)
  if (match === null) return parseDay(text)
  const day = parseDay(match[1] ?? '')
  const [hour = 0, minute = 0, second = 0] = match.slice(2, 5).map((part) => Number(part ?? 0))
  const zone = match[5] ?? ''
  const offset = /^[zZ]$/.test(zone) ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))
  const time = hour * 3_600_000 + minute * 60_000 + second * 1000
  if (day === null || hour > 23 || minute > 59 || second > 59 || Number(zone.slice(4)) > 59 || offset >= 1440)
    return null
  return time < dayMs ? day + time - (zone.startsWith('-') ? -offset : offset) * 60_000 : null
}

export function readMoment(reader: DocumentReader, field: Field | null | undefined): number | null {
  const text = field === null || field === undefined ? null : reader.text(field)
  if (field === null || field === undefined || text === null) return null
  const moment = parseMoment(text)
  if (moment === null) {
    const params = { text, expected: 'time', example: '2026-12-31, 2026-12-31T18:00:00+08:00' } as const
    reader.report.add('date.malformed', field.path, field.place, params)
  }
  return moment
}
