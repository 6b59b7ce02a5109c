/** Decides what stands on one line, which quotes stay and where a blank line is. Looks at values and styles only, so that a second run finds nothing to do. */
import {
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

/** The width of a line that a flow collection may fill. */
const lineLimit = 120

/** Changes the document in place. Braces have blanks inside, brackets none, as the formatters of editors have it: the library knows only both or neither. */
export function layOut(document: Document): void {
  visit(document, {
    Scalar: (_, node) => {
      node.type = styleOf(node)
    },
    Map: (_, node) => {
      const print = node.toString.bind(node)
      node.toString = (context, ...rest) => print(context && { ...context, flowCollectionPadding: ' ' }, ...rest)
    },
    Seq: (_, node) => {
      const print = node.toString.bind(node)
      node.toString = (context, ...rest) => print(context && { ...context, flowCollectionPadding: '' }, ...rest)
    },
  })
  visit(document, {
    Node: (_, node) => {
      node.comment = cleanComment(node.comment ?? null)
      node.commentBefore = cleanComment(node.commentBefore ?? null)
    },
  })
  document.comment = cleanComment(document.comment)
  document.commentBefore = cleanComment(document.commentBefore)
  if (document.contents !== null) place(document.contents, 0)
}

/** Block scalars stay; quotes stay where without them another reader of YAML might not see a text. */
function styleOf({ type, value }: Scalar): Scalar.Type {
  if (type === Scalar.BLOCK_FOLDED || type === Scalar.BLOCK_LITERAL) return type
  const text = String(value)
  if (type === Scalar.QUOTE_DOUBLE || type === Scalar.QUOTE_SINGLE)
    return isPlainWord(text) ? Scalar.PLAIN : Scalar.QUOTE_DOUBLE
  return text.includes('\n') ? Scalar.QUOTE_DOUBLE : Scalar.PLAIN
}

function isPlainWord(text: string): boolean {
  return (
    /^\p{L}(?:[\p{L}\p{N} ._/-]*[\p{L}\p{N}])?$/u.test(text) && !/^(?:true|false|yes|no|on|off|null|y|n)$/i.test(text)
  )
}

/** No blanks at ends of lines, one blank line at most. */
function cleanComment(comment: string | null): string | null {
  return comment === null ? null : comment.replaceAll(/[ \t\r]+$/gm, '').replaceAll(/\n{3,}/g, '\n\n')
}

/** `column` is where the node begins when it stands on the line of its key; its own lines begin at `indent`. */
function place(node: unknown, indent: number, column = indent): void {
  if (!isCollection(node)) return
  if (node.flow === true) {
    if (node.items.length === 0 || (!hasInnerComment(node) && column + widthOf(node) <= lineLimit))
      return dropBlankLines(node)
    toBlock(node)
  }
  if (node.items.length === 0) node.flow = true
  const [first] = node.items
  const firstNode: unknown = isPair(first) ? first.key : first
  if (isNode(firstNode)) delete firstNode.spaceBefore
  for (const item of node.items) {
    if (isPair(item)) place(item.value, indent + 2, indent + widthOf(item.key) + 2)
    else {
      place(item, indent + 2)
      if (isMap(item) && item.flow !== true) liftComment(item)
    }
  }
}

/** What stood behind the brackets stands above the block: below it, it would be about what comes next. */
function toBlock(node: YAMLMap | YAMLSeq): void {
  node.flow = false
  if (!node.comment) return
  node.commentBefore = [node.commentBefore, node.comment].filter(Boolean).join('\n')
  node.comment = null
}

/** A comment above the first field of an item of a list stands above the item: behind the dash it would not come back to the same place. */
function liftComment(item: YAMLMap): void {
  const key = item.items[0]?.key
  if (!isScalar(key) || !key.commentBefore) return
  item.commentBefore = [item.commentBefore, key.commentBefore].filter(Boolean).join('\n')
  key.commentBefore = null
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isCollection(value)
}

function hasInnerComment(node: Node): boolean {
  let found = false
  visit(node, {
    Node: (_, inner) => {
      if (inner.comment || inner.commentBefore)
        found = found || inner !== node || Boolean(inner.comment && isOpen(node))
    },
  })
  return found
}

/** A comment of a flow collection may stand inside its brackets, before the last one. */
function isOpen(node: Node): boolean {
  return isCollection(node) && node.comment !== undefined && node.comment !== null && node.comment.includes('\n')
}

function dropBlankLines(node: Node): void {
  visit(node, {
    Node: (_, inner) => {
      if (inner !== node) delete inner.spaceBefore
    },
  })
}

/** Of the node on one line, near enough. */
function widthOf(node: unknown): number {
  if (isScalar(node)) return String(node.value).length + (node.type === Scalar.PLAIN ? 0 : 2)
  if (isMap(node))
    return node.items.reduce(
      (sum, { key, value }) => sum + widthOf(key) + widthOf(value) + 4,
      node.items.length === 0 ? 0 : 2,
    )
  return isSeq(node) ? node.items.reduce((sum: number, item) => sum + widthOf(item) + 2, 0) : 0
}
