import { displayWidth } from './display-width.ts'
import type { Style, StyleName } from './style.ts'
import { toPrintable } from './to-printable.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** A cell's text is made printable here; its style is added after its width is known. */
export interface StyledCell {
  readonly text: string
  readonly style: StyleName
}
export type Cell = string | number | StyledCell

const gap = '  '

/** Lines without a trailing newline or trailing blanks; the titles come first. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], style: Style): string[] {
  const texts = rows.map((row) => columns.map((_column, index) => cellText(row[index] ?? '')))
  const widths = columns.map((column, index) =>
    texts.reduce((width, row) => Math.max(width, displayWidth(row[index] ?? '')), displayWidth(column.title)),
  )
  const line = (cells: readonly string[], paint: (text: string, index: number) => string): string => {
    const lastFilled = cells.findLastIndex((cell) => cell !== '')
    return columns
      .slice(0, lastFilled + 1)
      .map((column, index) => {
        const text = cells[index] ?? ''
        const blanks = ' '.repeat((widths[index] ?? 0) - displayWidth(text))
        const painted = text === '' ? '' : paint(text, index)
        if (column.align === 'right') return blanks + painted
        return index === lastFilled ? painted : painted + blanks
      })
      .join(gap)
  }
  return [
    line(
      columns.map((column) => column.title),
      (text) => style('bold', text),
    ),
    ...rows.map((row, rowIndex) =>
      line(texts[rowIndex] ?? [], (text, index) => {
        const cell = row[index]
        return typeof cell === 'object' ? style(cell.style, text) : text
      }),
    ),
  ]
}

function cellText(cell: Cell): string {
  return toPrintable(typeof cell === 'object' ? cell.text : String(cell))
}
