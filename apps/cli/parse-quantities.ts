import { UsageError } from './usage-error.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const longestMs = 365 * unitMs.d

/** `500ms`, `10s`, `5m`, `2h`, `7d`; at most a year. */
export function parseDurationMs(option: string, text: string): number {
  const ms = toDurationMs(text)
  if (ms === null) throw UsageError.of('cli.usage.bad-duration', { text: option, value: text })
  return ms
}

export function parseWholeNumber(option: string, text: string, from: number, to: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= from && value <= to))
    throw UsageError.of('cli.usage.bad-number', { text: option, value: text, from, to })
  return value
}

/** Where a page begins: after a record's id, or after a time. */
export type Since = { readonly kind: 'id'; readonly id: number } | { readonly kind: 'time'; readonly at: string }

export function parseSince(text: string, now: Date): Since {
  if (/^\d{1,15}$/.test(text)) return { kind: 'id', id: Number(text) }
  const ms = toDurationMs(text)
  if (ms !== null) return { kind: 'time', at: new Date(now.getTime() - ms).toISOString() }
  const time = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(time)) throw UsageError.of('cli.usage.bad-since', { value: text })
  return { kind: 'time', at: new Date(time).toISOString() }
}

function toDurationMs(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  if (match === null) return null
  const ms = Number(match[1]) * unitMs[match[2] as keyof typeof unitMs] // as: the pattern names the keys
  return ms <= longestMs ? ms : null
}
