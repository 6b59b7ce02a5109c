import type { Diagnostic } from '@hyperward/model'

import { catalogue, type Locale } from './catalogue.ts'
import { renderTemplate } from './render-message.ts'

/** A diagnostic's sentence in the reader's language. */
export function renderDiagnostic(locale: Locale, diagnostic: Pick<Diagnostic, 'code' | 'params'>): string {
  return renderTemplate(locale, catalogue[locale][diagnostic.code], diagnostic.params)
}

/** `file:line:column: severity: sentence (code)`, the form editors and compilers know. Severity words stay English: programs match on them. */
export function formatDiagnostic(locale: Locale, diagnostic: Diagnostic): string {
  const place = diagnostic.place
  const where = place === undefined ? diagnostic.path : `${place.file}:${place.line}:${place.column}`
  return `${where}: ${diagnostic.severity}: ${renderDiagnostic(locale, diagnostic)} [${diagnostic.code}]`
}
