import { catalogue, type MessageParams, renderTemplate } from '@hyperward/catalogue'
import type { Diagnostic, DiagnosticCode, SourcePlace } from '@hyperward/model'

/** More than a person reads at once; keeps a hostile document from filling memory with complaints. */
export const diagnosticLimit = 1000

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
}

export function createReport(): Report {
  const diagnostics: Diagnostic[] = []
  return {
    diagnostics,
    usable: () => diagnostics.every((diagnostic) => diagnostic.severity === 'warning'),
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
  const message = renderTemplate('en', catalogue.en[code], params)
  return { code, severity, path, ...(place === undefined ? {} : { place }), params, message }
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
