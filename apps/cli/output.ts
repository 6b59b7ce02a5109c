import type { Column, Cell } from './terminal/render-table.ts'
import { renderTable } from './terminal/render-table.ts'
import { createStyle, isColorWanted, type Style } from './terminal/style.ts'
import { toPrintable } from './terminal/to-printable.ts'

export interface OutputStream {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Where a run writes: results to stdout, everything said about the run to stderr. Text from elsewhere is made printable on the way. */
export interface Output {
  readonly style: Style
  readonly errorStyle: Style
  /** A sentence or line that may hold text from elsewhere, unstyled. */
  readonly line: (text: string) => void
  /** A line made of pieces that were made printable and styled already. */
  readonly styledLine: (text: string) => void
  readonly table: (columns: readonly Column[], rows: readonly (readonly Cell[])[]) => void
  /** One JSON value on its own line, or indented. */
  readonly json: (value: unknown, layout?: 'indented' | 'line') => void
  /** As it is: a document, a token, a script. */
  readonly raw: (text: string) => void
  readonly errorLine: (text: string) => void
  readonly styledErrorLine: (text: string) => void
}

export function createOutput(
  stdout: OutputStream,
  stderr: OutputStream,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const style = createStyle(isColorWanted(stdout.isTTY === true, env))
  const errorStyle = createStyle(isColorWanted(stderr.isTTY === true, env))
  const styledLine = (text: string): void => void stdout.write(`${text}\n`)
  return {
    style,
    errorStyle,
    styledLine,
    line: (text) => styledLine(toPrintable(text)),
    table: (columns, rows) => renderTable(columns, rows, style).forEach(styledLine),
    json: (value, layout = 'indented') => styledLine(JSON.stringify(value, null, layout === 'line' ? 0 : 2)),
    raw: (text) => void stdout.write(text),
    errorLine: (text) => void stderr.write(`${toPrintable(text)}\n`),
    styledErrorLine: (text) => void stderr.write(`${text}\n`),
  }
}
