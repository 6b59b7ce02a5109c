import { catalogue, type MessageParams, renderTemplate } from '@hyperward/catalogue'
import type { Diagnostic, DiagnosticCode, SourcePlace } from '@hyperward/model'

/** More than a person reads at once; keeps a hostile document from filling memory with complaints. */
export const diagnosticLimit = 1000

/** Longest text of a document that a diagnostic repeats. */
const quoteLimit = 200

/** Collects the diagnostics of one document. Mutable on purpose, and never leaves the parser that made it. */
export interface Report {
  readonly diagnostics: Diagnostic[]
  readonly add: <C extends DiagnosticCode>(
    code: C,
    path: string,
    place: SourcePlace | undefined,
    params: MessageParams<C>,
    severity?: Diagnostic['severity'],
  ) => void
  /** True when nothing worse than a warning was added. */
  readonly usable: () => boolean
  /** True when more would not be shown: what is only for them (nearest names) need not be found. */
  readonly full: () => boolean
}

export function createReport(): Report {
  const diagnostics: Diagnostic[] = []
  return {
    diagnostics,
    usable: () => diagnostics.every((diagnostic) => diagnostic.severity === 'warning'),
    full: () => diagnostics.length > diagnosticLimit,
    add: (code, path, place, params, severity = 'error') => {
      if (diagnostics.length > diagnosticLimit) return
      const full = diagnostics.length === diagnosticLimit
      const used = full ? 'document.too-many-problems' : code
      diagnostics.push(
        toDiagnostic(used, path, place, full ? { limit: diagnosticLimit } : params, full ? 'error' : severity),
      )
    },
  }
}

export function toDiagnostic(
  code: DiagnosticCode,
  path: string,
  place: SourcePlace | undefined,
  params: Readonly<Record<string, string | number>>,
  severity: Diagnostic['severity'] = 'error',
): Diagnostic {
  const clipped = Object.fromEntries(
    Object.entries(params).map(([key, value]) => [key, typeof value === 'string' ? clip(value) : value]),
  )
  const message = renderTemplate('en', catalogue.en[code], clipped)
  return { code, severity, path: clip(path), ...(place === undefined ? {} : { place }), params: clipped, message }
}

function clip(text: string): string {
  return text.length > quoteLimit ? `${text.slice(0, quoteLimit).toWellFormed()}…` : text
}

/** By file, place, then code: the order in which a reader meets them. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const line = (diagnostic: Diagnostic): number => diagnostic.place?.line ?? 0
  const column = (diagnostic: Diagnostic): number => diagnostic.place?.column ?? 0
  const file = (diagnostic: Diagnostic): string => diagnostic.place?.file ?? ''
  return [...diagnostics].sort(
    (a, b) =>
      compareText(file(a), file(b)) || line(a) - line(b) || column(a) - column(b) || compareText(a.code, b.code),
  )
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
