/**
 * Several files of one policy as one text, and back: YAML documents with a line before each that carries the file's name. A text without such lines is
 * one file. Joining and splitting are each other's reverse, so that diagnostics of a stored bundle name the files and lines that people wrote.
 */
export interface PolicyFile {
  /** Shown in diagnostics; nothing is opened. */
  readonly file: string
  readonly text: string
}

const marker = '# hyperward:file '
/** A stored text must not write to the terminal of whoever reads its diagnostics. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu
/** A marker at the beginning of the text, or after a line of three dashes. */
const boundary = /(?:^\uFEFF?|\r?\n---[ \t]*\r?\n)# hyperward:file ("[^\r\n]*")[ \t]*(?:\r?\n|$)/g

export function bundlePolicyFiles(files: readonly PolicyFile[]): string {
  return files
    .flatMap(({ file, text }) => splitBundle(text, file))
    .map(({ file, text }) => `${marker}${JSON.stringify(file.replaceAll(unprintable, '\u{FFFD}') || '?')}\n${text}`)
    .join('\n---\n')
}

/** `file` names a text that is no bundle, and what stands before the first boundary. */
export function splitBundle(text: string, file: string): readonly PolicyFile[] {
  const files: PolicyFile[] = []
  let name = file
  let start = 0
  for (const match of text.matchAll(boundary)) {
    const next = parseFileName(match[1] ?? '')
    if (next === null) continue
    if (match.index > 0) files.push({ file: name, text: text.slice(start, match.index) })
    name = next
    start = match.index + match[0].length
  }
  return [...files, { file: name, text: text.slice(start) }]
}

function parseFileName(json: string): string | null {
  try {
    // only the text of a JSON string gets here, and what else it may hold is checked
    const value = JSON.parse(json) as unknown
    return typeof value === 'string' && value !== '' && value.search(unprintable) < 0 ? value : null
  } catch {
    return null
  }
}
