/** Whether two YAML texts say the same, comments included; the order of the keys of a mapping says nothing. For the formatter to watch itself. */
import { isMap, isScalar, isSeq, Lexer, type ParsedNode, parseDocument, type Scalar } from 'yaml'

/** What differs, or null. */
export function findDifference(before: string, after: string): string | null {
  const [old, now] = [before, after].map((text) => parseDocument(text, { schema: 'failsafe', uniqueKeys: false }))
  if (now !== undefined && now.errors.length > 0) return 'it can no longer be read'
  if (JSON.stringify(toContent(old?.contents)) !== JSON.stringify(toContent(now?.contents))) return 'its values differ'
  return commentsOf(before).join('\n') === commentsOf(after).join('\n') ? null : 'its comments differ'
}

type Content = string | readonly (string | Content)[]

function toContent(node: ParsedNode | null | undefined): Content {
  if (isMap(node)) {
    const pairs = node.items.map(({ key, value }): Content => [toContent(key), toContent(value)])
    const texts = pairs.map((pair, at) => [JSON.stringify([pair[0]]), at, pair] as const)
    return ['map', ...texts.sort((a, b) => compare(a[0], b[0]) || a[1] - b[1]).map(([, , pair]) => pair)]
  }
  if (isSeq(node)) return ['list', ...node.items.map((item) => toContent(item))]
  return isScalar(node) ? toText(node) : 'nothing'
}

/** A plain scalar of no characters is a missing value, a quoted one a text. */
function toText({ value, type }: Scalar): Content {
  return ['text', type === 'PLAIN' && value === '' ? 'nothing' : `=${String(value)}`]
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function commentsOf(text: string): readonly string[] {
  const lexemes = [...new Lexer().lex(text)]
  // what follows a unit separator is a scalar, whatever it begins with
  return lexemes
    .filter((lexeme, at) => lexeme.startsWith('#') && lexemes[at - 1] !== '\u001f')
    .map((lexeme) => lexeme.trimEnd())
    .sort()
}
