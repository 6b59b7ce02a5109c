import type { Figures } from '../lib/bench.ts'
import type { Floor } from './floor.ts'
import type { Comparison } from './measure.ts'

export type Outcome =
  | {
      readonly ok: true
      readonly subject: string
      readonly size: number
      readonly established: Comparison
      readonly first: Comparison
    }
  | { readonly ok: false; readonly subject: string; readonly size: number; readonly reason: string }

/**
 * `established_ratio` and `first_packet_ratio`: subject → endpoints → ratio to the plain bridge of the same run. What was not measured is null there, and
 * its reason stands in `reasons`, subject → endpoints. `*_ns` are absolute; `base_ns` tells how steady the machine was, `method_ns` what is in every figure.
 */
export function toFigures(
  subjects: readonly string[],
  sizes: readonly number[],
  outcomes: readonly Outcome[],
  floor: Floor,
): Figures {
  const find = (subject: string, size: number): Outcome =>
    outcomes.find((outcome) => outcome.subject === subject && outcome.size === size) ?? {
      ok: false,
      subject,
      size,
      reason: 'left out by --quick',
    }
  const table = (value: (outcome: Outcome & { readonly ok: true }) => number): Figures =>
    Object.fromEntries(
      subjects.map((subject) => [
        subject,
        Object.fromEntries(
          sizes.map((size) => {
            const outcome = find(subject, size)
            return [String(size), outcome.ok ? value(outcome) : null]
          }),
        ),
      ]),
    )
  const reasons = subjects.flatMap((subject) => {
    const missing = sizes.map((size) => find(subject, size)).filter((outcome) => !outcome.ok)
    return missing.length === 0
      ? []
      : [[subject, Object.fromEntries(missing.map((outcome) => [String(outcome.size), outcome.reason]))] as const]
  })
  const measured = outcomes.filter((outcome) => outcome.ok)
  return {
    established_ratio: table((outcome) => round(outcome.established.ratio, 3)),
    first_packet_ratio: table((outcome) => round(outcome.first.ratio, 3)),
    reasons: Object.fromEntries(reasons),
    established_ns: table((outcome) => round(outcome.established.subjectNs, 0)),
    first_packet_ns: table((outcome) => round(outcome.first.subjectNs, 0)),
    base_ns: {
      established: spread(measured.map((outcome) => outcome.established.baseNs)),
      first_packet: spread(measured.map((outcome) => outcome.first.baseNs)),
    },
    method_ns: { to_first_hook: round(floor.toFirstHookNs, 0), user: round(floor.userNs, 2) },
  }
}

function spread(values: readonly number[]): Figures {
  if (values.length === 0) return { least: null, most: null }
  return { least: round(Math.min(...values), 0), most: round(Math.max(...values), 0) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
