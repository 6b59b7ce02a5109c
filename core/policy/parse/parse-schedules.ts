/** The `schedules` of all owners → Schedule. One that never holds is refused: a rule with it would read as protection and be none. */
import type { GroupName, Schedule, ScheduleWindow } from '@hyperward/model'

import type { DocumentReader, Field, NamedField } from '../document/document-reader.ts'
import { scheduleFields, weekdays, windowFields } from '../language/fields.ts'
import { parseDay, toWeekday } from '../schedule/civil-day.ts'
import type { Declared } from './declared-names.ts'
const everyDay: readonly number[] = [1, 2, 3, 4, 5, 6, 7]

/** Null = written, but wrong. */
export function parseSchedules(
  reader: DocumentReader,
  declared: readonly Declared[],
): ReadonlyMap<GroupName, Schedule | null> {
  const zones = new Map<string, boolean>()
  return new Map(declared.map(({ name, field }) => [name, parseSchedule(reader, field, name, zones)]))
}

function parseSchedule(
  reader: DocumentReader,
  field: NamedField,
  name: GroupName,
  zones: Map<string, boolean>,
): Schedule | null {
  const before = reader.report.diagnostics.length
  const fields = reader.record(field, scheduleFields)
  if (fields === null) return null
  const zoneField = reader.required(fields, field, 'time-zone', 'time-zone: Etc/UTC')
  const timeZone = zoneField === null ? null : parseTimeZone(reader, zoneField, zones)
  const windowsField = reader.required(
    fields,
    field,
    'windows',
    'windows: [{days: [mon-fri], from: "08:00", to: "18:00"}]',
  )
  const items = windowsField === null ? null : reader.list(windowsField)
  if (windowsField !== null && items?.length === 0)
    reader.report.add('schedule.never', windowsField.path, windowsField.place, { reason: 'no-windows' })
  const windows = (items ?? []).map((item) => parseWindow(reader, item)).filter((window) => window !== null)
  if (timeZone === null || reader.report.diagnostics.length > before) return null
  return { name, timeZone, windows }
}

/** `zones` holds what was asked before: to ask the platform is slow. */
function parseTimeZone(reader: DocumentReader, field: Field, zones: Map<string, boolean>): string | null {
  const text = reader.text(field)
  if (text === null) return null
  const known = zones.get(text) ?? isTimeZone(text)
  zones.set(text, known)
  if (known) return text
  const hint = reader.nearest(text, allZones())
  reader.report.add('schedule.zone-unknown', field.path, field.place, { text, nearest: hint })
  return null
}

/** Asked for only when somebody will see the answer. */
function* allZones(): Iterable<string> {
  yield* Intl.supportedValuesOf('timeZone')
}

/** By name only: offsets do not follow summer time. */
function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== ''
  } catch {
    // a RangeError is how the platform says that it has no such zone
    return false
  }
}

function parseWindow(reader: DocumentReader, item: Field): ScheduleWindow | null {
  const before = reader.report.diagnostics.length
  const fields = reader.record(item, windowFields)
  if (fields === null) return null
  const daysField = fields.get('days')
  const days = daysField === undefined ? everyDay : parseDays(reader, daysField)
  const from = parseTime(reader, fields.get('from'), 0, 1439)
  const to = parseTime(reader, fields.get('to'), 1440, 1440)
  const firstDay = parseDayField(reader, fields.get('first-day'))
  const lastDay = parseDayField(reader, fields.get('last-day'))
  if (reader.report.diagnostics.length > before || from === null || to === null) return null
  const reason = whyNever(days, firstDay, lastDay)
  if (reason !== null) {
    reader.report.add('schedule.never', item.path, item.place, { reason })
    return null
  }
  return {
    days,
    from,
    to,
    ...(firstDay === null ? {} : { firstDay: firstDay.text }),
    ...(lastDay === null ? {} : { lastDay: lastDay.text }),
  }
}

interface WrittenDay {
  readonly text: string
  readonly day: number
}

function whyNever(
  days: readonly number[],
  first: WrittenDay | null,
  last: WrittenDay | null,
): 'days-inverted' | 'no-day' | null {
  if (first === null || last === null) return null
  if (last.day < first.day) return 'days-inverted'
  const between = Math.min(7, last.day - first.day + 1)
  for (let offset = 0; offset < between; offset += 1) {
    if (days.includes(toWeekday(first.day + offset))) return null
  }
  return 'no-day'
}

/** `mon`, or a run `tue-fri`, which may go over the end of the week. */
function parseDays(reader: DocumentReader, field: Field): readonly number[] {
  const items = reader.listOrOne(field)
  if (items.length === 0 && reader.isList(field))
    reader.report.add('schedule.never', field.path, field.place, { reason: 'no-day' })
  const days = new Set<number>()
  for (const item of items) {
    const text = reader.text(item)
    if (text === null) continue
    const names: readonly string[] = weekdays
    const ends = text.split('-').map((name) => names.indexOf(name.trim()))
    const [first = -1, last = first] = ends
    if (ends.length > 2 || first < 0 || last < 0) {
      reader.report.add('schedule.day-unknown', item.path, item.place, {
        text,
        nearest: reader.nearest(text, weekdays),
      })
      continue
    }
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day + 1)
      if (day === last) break
    }
  }
  return [...days].sort((a, b) => a - b)
}

/** Minutes after midnight. */
function parseTime(
  reader: DocumentReader,
  field: NamedField | undefined,
  absent: number,
  latest: number,
): number | null {
  if (field === undefined) return absent
  const text = reader.text(field)
  if (text === null) return null
  const match = /^(\d{1,2}):(\d{2})$/.exec(text)
  const minutes = Number(match?.[2])
  const time = Number(match?.[1]) * 60 + minutes
  if (match !== null && minutes < 60 && time <= latest) return time
  reader.report.add('schedule.time-malformed', field.path, field.place, { text, example: '"08:00"' })
  return null
}

function parseDayField(reader: DocumentReader, field: NamedField | undefined): WrittenDay | null {
  const text = field === undefined ? null : reader.text(field)
  if (field === undefined || text === null) return null
  const day = parseDay(text)
  if (day !== null) return { text, day }
  const params = { text, expected: 'date', example: '2026-01-31' } as const
  reader.report.add('date.malformed', field.path, field.place, params)
  return null
}
