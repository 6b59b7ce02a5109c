import { catalogue, type MessageParams, renderTemplate, type TermKey } from '@hyperward/catalogue'
import type { Diagnostic, DiagnosticCode, SourcePlace } from '@hyperward/model'

/** More than a person reads. Beyond it the import is refused: a thing without an equal is never passed over in silence. */
export const importDiagnosticLimit = 10_000

export type ImportCode = Extract<DiagnosticCode, `import.${string}`>
/** Why a thing cannot be said here: the tail of a term. */
export type Reason = Extract<TermKey, `import-${string}`>

/** Codes that forbid a result; the others tell what came out narrower than it was. */
const errors: ReadonlySet<ImportCode> = new Set([
  'import.binary',
  'import.chain-loop',
  'import.doctype',
  'import.encoding',
  'import.malformed',
  'import.nothing',
  'import.same-name',
  'import.too-deep',
  'import.too-large',
  'import.too-many',
  'import.view-unclear',
  'import.wrong-kind',
] satisfies ImportCode[])

/** Collects what an import has to say. Mutable on purpose; never leaves the import that made it. */
export interface Report {
  readonly add: <C extends ImportCode>(code: C, place: SourcePlace | undefined, params: MessageParams<C>) => void
  readonly diagnostics: () => readonly Diagnostic[]
  readonly usable: () => boolean
}

export function createReport(): Report {
  const diagnostics: Diagnostic[] = []
  // a rule that stands in a chain reached by several ways is told once
  const told = new Set<string>()
  let usable = true
  const push = (code: DiagnosticCode, place: SourcePlace | undefined, params: Diagnostic['params'], error: boolean) => {
    const message = renderTemplate('en', catalogue.en[code], params)
    diagnostics.push({
      code,
      severity: error ? 'error' : 'warning',
      path: '',
      ...(place === undefined ? {} : { place }),
      params,
      message,
    })
    if (error) usable = false
  }
  return {
    add: (code, place, params) => {
      const key = JSON.stringify([code, place, params])
      if (told.has(key) || told.size > importDiagnosticLimit) return
      told.add(key)
      if (told.size > importDiagnosticLimit)
        push('document.too-many-problems', place, { limit: importDiagnosticLimit }, true)
      else push(code, place, params, errors.has(code))
    },
    usable: () => usable,
    diagnostics: () =>
      diagnostics
        .map((diagnostic, index) => ({ diagnostic, index }))
        .sort((a, b) => comparePlaces(a.diagnostic.place, b.diagnostic.place) || a.index - b.index)
        .map(({ diagnostic }) => diagnostic),
  }
}

function comparePlaces(a: SourcePlace | undefined, b: SourcePlace | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  return a.line - b.line || a.column - b.column
}
