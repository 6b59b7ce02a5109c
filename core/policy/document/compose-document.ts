/**
 * YAML text → one node tree whose scalars are all text (failsafe schema: `1.10`, `no` and `0x1f` stay what was written).
 * Refuses what is not one plain document: too large, too deep, several documents, malformed. Depth is checked on the token tree, without recursion,
 * before anything recursive sees it.
 */
import type { SourcePlace } from '@hyperward/model'
import { Composer, type CST, Lexer, LineCounter, type Node, Parser } from 'yaml'

import type { Report } from './report.ts'

export const documentMaxChars = 16 * 1024 * 1024
export const documentMaxDepth = 24
/** Words, marks and runs of blanks of all documents read together: each becomes objects of some 400 bytes. A rule has about 60. */
export const documentMaxLexemes = 3_000_000
/** More marks out of place than this are not one mistake. */
const syntaxErrorLimit = 100

export interface ComposedDocument {
  readonly root: Node
  readonly placeAt: (offset: number) => SourcePlace
}

/** `budget.lexemes` is used up; documents read together share one. */
export function composeDocument(
  text: string,
  file: string,
  version: string,
  report: Report,
  budget: { lexemes: number } = { lexemes: documentMaxLexemes },
): ComposedDocument | null {
  const start: SourcePlace = { file, line: 1, column: 1 }
  if (text.length > documentMaxChars) {
    report.add('document.too-large', '', start, { size: text.length, limit: documentMaxChars })
    return null
  }
  const lines = new LineCounter()
  const placeAt = (offset: number): SourcePlace => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const tokens = tokenize(text, lines, placeAt, report, budget)
  if (tokens === null) return null
  // uniqueKeys of the library is quadratic in the keys of a mapping; the readers find duplicates themselves
  const documents = [...new Composer({ schema: 'failsafe', uniqueKeys: false, prettyErrors: false }).compose(tokens)]
  const [document] = documents
  if (document === undefined) {
    report.add('document.empty', '', start, { version })
    return null
  }
  for (const problem of [...document.errors, ...document.warnings]) {
    report.add('document.not-yaml', '', placeAt(problem.pos[0]), { reason: problem.message.split('\n')[0] ?? '' })
  }
  if (document.errors.length > 0) return null
  const root = document.contents
  if (root === null || ('value' in root && root.value === '')) {
    report.add('document.empty', '', start, { version })
    return null
  }
  return { root, placeAt }
}

/** The token tree, or null after a report: the tree of a hostile text is not built beyond the limits. */
function tokenize(
  text: string,
  lines: LineCounter,
  placeAt: (offset: number) => SourcePlace,
  report: Report,
  budget: { lexemes: number },
): readonly CST.Token[] | null {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  const tokens: CST.Token[] = []
  for (const lexeme of new Lexer().lex(text)) {
    budget.lexemes -= 1
    if (budget.lexemes < 0) {
      report.add('document.too-many-values', '', placeAt(parser.offset), { limit: documentMaxLexemes })
      return null
    }
    const known = tokens.length
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (tokens.length > known && !isOneDocument(tokens, placeAt, report)) return null
    // a document, and at most two tokens (collection, item) a level
    if (parser.stack.length > 2 * documentMaxDepth + 4) {
      report.add('document.too-deep', '', placeAt(parser.offset), { limit: documentMaxDepth })
      return null
    }
  }
  for (const token of parser.end()) tokens.push(token)
  if (!isOneDocument(tokens, placeAt, report)) return null
  const deep = findTooDeep(tokens)
  if (deep !== null) report.add('document.too-deep', '', placeAt(deep), { limit: documentMaxDepth })
  return deep === null ? tokens : null
}

/** Looks at the few tokens of the top: documents, what stands between them, marks out of place. */
function isOneDocument(
  tokens: readonly CST.Token[],
  placeAt: (offset: number) => SourcePlace,
  report: Report,
): boolean {
  const last = tokens.at(-1)
  if (last?.type === 'document' && tokens.filter(({ type }) => type === 'document').length > 1) {
    report.add('document.several', '', placeAt(last.offset), {})
    return false
  }
  if (last?.type !== 'error' || tokens.length <= syntaxErrorLimit) return true
  const errors = tokens.filter((token) => token.type === 'error')
  if (errors.length <= syntaxErrorLimit) return true
  for (const { offset, message } of errors) report.add('document.not-yaml', '', placeAt(offset), { reason: message })
  return false
}

/** Offset of the first token deeper than the limit. A level of the document is at most two levels of tokens (collection, item). */
function findTooDeep(tokens: readonly CST.Token[]): number | null {
  const stack: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { token, depth } = next
    if (depth > documentMaxDepth) return token.offset
    if ('items' in token) {
      for (const item of token.items) {
        if (item.key) stack.push({ token: item.key, depth: depth + 1 })
        if (item.value) stack.push({ token: item.value, depth: depth + 1 })
      }
    } else if (token.type === 'document' && token.value) stack.push({ token: token.value, depth })
  }
  return null
}
