/** Days of the Gregorian calendar as numbers (1970-01-01 = 0), without the platform's clock. After Howard Hinnant, "chrono-compatible low-level date algorithms". */
export const dayMs = 86_400_000

export function toDayNumber(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** Day number of a `YYYY-MM-DD` that exists, from the year 1970; null for other text. */
export function parseDay(text: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (match === null) return null
  const [year = 0, month = 0, day = 0] = match.slice(1).map(Number)
  if (year < 1970 || month < 1 || month > 12 || day < 1) return null
  const next = month === 12 ? toDayNumber(year + 1, 1, 1) : toDayNumber(year, month + 1, 1)
  const number = toDayNumber(year, month, day)
  return number < next ? number : null
}

/** ISO weekday, 1 = Monday. 1970-01-01 was a Thursday. */
export function toWeekday(day: number): number {
  return ((((day + 3) % 7) + 7) % 7) + 1
}
