/** A comment on the line of a key whose value begins below (`rules: # of the shop`) stays on that line: the library reads it as the value's own. */
import { type Document, isCollection, isMap, isPair, isScalar, type Node, visit } from 'yaml'

/** Changes the document in place; `source` is the text that it was read from. */
export function keepKeyComments(document: Document, source: string): void {
  visit(document, {
    Pair: (_, { key, value }) => {
      if (!isScalar(key) || !isCollection(value) || value.flow === true) return
      const behind = /[ \t]*:[ \t]+#([^\r\n]*)/y
      behind.lastIndex = key.range?.[1] ?? source.length
      const comment = behind.exec(source)?.[1]?.trimEnd()
      const holder = comment === undefined ? undefined : [value, firstNode(value)].find((node) => node?.commentBefore)
      const [first, ...rest] = holder?.commentBefore?.split('\n') ?? []
      if (holder === undefined || comment === undefined || first?.trimEnd() !== comment) return
      key.comment = comment
      holder.commentBefore = rest.length === 0 ? null : rest.join('\n')
    },
  })
}

function firstNode(value: Node): Node | undefined {
  if (!isCollection(value)) return undefined
  const [first] = value.items
  const node: unknown = isPair(first) ? first.key : first
  if (isScalar(node)) return node
  return isCollection(node) ? (isMap(node) && !node.commentBefore ? (firstNode(node) ?? node) : node) : undefined
}
