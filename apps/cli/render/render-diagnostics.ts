import { catalogue, renderDiagnostic, type Locale } from '@hyperward/catalogue'
import type { Diagnostic, SourcePlace } from '@hyperward/model'

import type { Sources } from '../failures.ts'
import { displayWidth } from '../terminal/display-width.ts'
import type { Style } from '../terminal/style.ts'
import { toPrintable } from '../terminal/to-printable.ts'

const longestSource = 160

/**
 * `file:line:column: error[code]: sentence`, then the line concerned with a caret under the place. The words `error` and `warning` stay
 * English: editors and scripts match on them.
 */
export function renderDiagnostics(
  locale: Locale,
  diagnostics: readonly Diagnostic[],
  sources: Sources,
  style: Style,
): readonly string[] {
  const lines = new Map([...sources].map(([file, text]) => [file, text.split(/\r\n|\n|\r/)]))
  return diagnostics.flatMap((diagnostic) => {
    const { place, severity, code } = diagnostic
    const where = place === undefined ? diagnostic.path : `${place.file}:${place.line}:${place.column}`
    const kind = style(severity === 'error' ? 'red' : 'yellow', `${severity}[${code}]`)
    const sentence = toPrintable(toSentence(locale, diagnostic))
    const head = `${style('bold', toPrintable(where))}: ${kind}: ${sentence}`
    const source = place === undefined ? undefined : lines.get(place.file)?.[place.line - 1]
    return place === undefined || source === undefined ? [head] : [head, ...renderPlace(source, place, style)]
  })
}

/** A code this version does not know comes with its English sentence. */
function toSentence(locale: Locale, diagnostic: Diagnostic): string {
  return Object.hasOwn(catalogue[locale], diagnostic.code) ? renderDiagnostic(locale, diagnostic) : diagnostic.message
}

function renderPlace(source: string, place: SourcePlace, style: Style): readonly string[] {
  const before = toShown(source.slice(0, place.column - 1))
  const shown = before + toShown(source.slice(place.column - 1))
  const number = String(place.line)
  const caretAt = displayWidth(before)
  // a line too long to be of use is cut so that the place stays in view
  const cut = shown.length > longestSource ? Math.max(0, before.length - longestSource / 2) : 0
  const visible = shown.slice(cut, cut + longestSource)
  const blanks = ' '.repeat(cut === 0 ? caretAt : displayWidth(before.slice(cut)))
  return [
    `${style('dim', ` ${number} |`)} ${visible}`,
    `${style('dim', ` ${' '.repeat(number.length)} |`)} ${blanks}${style('cyan', '^')}`,
  ]
}

function toShown(text: string): string {
  return toPrintable(text.replaceAll('\t', '  '))
}
