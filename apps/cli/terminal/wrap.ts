import { displayWidth } from './display-width.ts'

/** Breaks at blanks, and between double-width characters, which have none; closing punctuation never begins a line. */
export function wrap(text: string, width: number): readonly string[] {
  const pieces =
    text.match(
      /\s+|[\u2e80-\u9fff\uff00-\uffef][，。；：、！？）”」]*|[^\s\u2e80-\u9fff\uff00-\uffef]+[，。；：、！？）”」]*/gu,
    ) ?? []
  const lines: string[] = []
  let line = ''
  for (const piece of pieces) {
    if (line !== '' && displayWidth(line + piece.trimEnd()) > width) {
      lines.push(line.trimEnd())
      line = piece.trimStart()
    } else line += piece
  }
  return [...lines, ...(line.trim() === '' ? [] : [line.trimEnd()])]
}
