import type { DiagnosticCode } from './codes/diagnostic-codes.ts'

/** Where in a document: 1-based line and column of the first character concerned. `file` is the name the caller gave. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A user's mistake, told once, with place and remedy. `error` keeps the document from being used; `warning` does not. */
export interface Diagnostic {
  readonly code: DiagnosticCode
  readonly severity: 'error' | 'warning'
  /** Path into the document, e.g. `tenants.acme.policies[0].rules[2].service`. */
  readonly path: string
  readonly place?: SourcePlace
  /** Values of the sentence: the catalogue renders code + params in the reader's language. */
  readonly params: Readonly<Record<string, string | number>>
  /** English rendering of code + params. */
  readonly message: string
}

/** What a parser gives: a value with warnings, or the errors that forbid one. Never a partial value. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] }
