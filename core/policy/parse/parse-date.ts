/** Dates of documents. Checked by hand: what platforms read takes much that is no date, and times without a zone differently from machine to machine. */
import type { DocumentReader, Field } from '../document/document-reader.ts'
import { dayMs, parseDay } from '../schedule/civil-day.ts'

const momentPattern = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/

/** ISO 8601 (RFC 3339) date-time with its zone, or a date = 00:00 UTC of that day. */
export function parseMoment(text: string): number | null {
  const match = momentPattern.exec(text)
  if (match === null) {
    const date = parseDay(text)
    return date === null ? null : date * dayMs
  }
  const day = parseDay(match[1] ?? '')
  const [hour = 0, minute = 0, second = 0] = match.slice(2, 5).map((part) => Number(part ?? 0))
  const zone = match[5] ?? ''
  const offset = /^[zZ]$/.test(zone) ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))
  const time = hour * 3_600_000 + minute * 60_000 + second * 1000
  if (day === null || hour > 23 || minute > 59 || second > 59 || Number(zone.slice(4)) > 59 || offset >= 1440)
    return null
  return day * dayMs + time - (zone.startsWith('-') ? -offset : offset) * 60_000
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
