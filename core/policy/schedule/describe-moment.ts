/** A moment (milliseconds since 1970 UTC) as a diagnostic tells it: `2026-11-24 08:00 UTC`. */
export function describeMoment(at: number): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'short' })
  return `${format.format(at)} UTC`
}
