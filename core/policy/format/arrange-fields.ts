/** Puts the fields of each record into the order of the grammar. What is not known keeps its place behind them; names of the user keep their order. */
import { type Document, isMap, isScalar, isSeq, type Pair, type YAMLMap } from 'yaml'

import { grammar, type RecordName, type Shape } from '../language/grammar.ts'

/** Changes the document in place. */
export function arrangeFields(document: Document): void {
  arrange(document.contents, { kind: 'record', record: 'document' })
  if (isMap(document.contents)) keepHead(document, document.contents)
}

/** `isItem`: of a list, where a comment above the node is about the whole of it. */
function arrange(node: unknown, shape: Shape, isItem = false): void {
  switch (shape.kind) {
    case 'record':
      if (isMap(node)) arrangeRecord(node, shape.record, isItem)
      return
    case 'map':
      if (isMap(node)) for (const { value } of node.items) arrange(value, shape.of)
      return
    case 'list':
      if (isSeq(node)) for (const item of node.items) arrange(item, shape.of, true)
      return
    case 'either': {
      const chosen = isMap(node) ? closestRecord(node, shape.of) : shape.of.find((one) => one.kind === 'list')
      if (chosen !== undefined) arrange(node, chosen)
      return
    }
    case 'choice':
    case 'number':
    case 'text':
    case 'truth':
  }
}

/** Of several forms the one that has the most of the fields that are there. */
function closestRecord(node: YAMLMap, shapes: readonly Shape[]): Shape | undefined {
  let closest: Shape | undefined
  let most = -1
  for (const shape of shapes) {
    if (shape.kind !== 'record') continue
    const { record } = shape
    const known = fieldOrder(record)
    // the `not` of a side takes names, that of a selector a mapping
    const count = node.items.filter(
      (pair) => known.includes(keyOf(pair)) && !(record === 'side' && isMap(pair.value)),
    ).length
    if (count > most) [closest, most] = [shape, count]
  }
  return closest
}

function arrangeRecord(node: YAMLMap, record: RecordName, isItem: boolean): void {
  const order = fieldOrder(record)
  const rank = (pair: Pair): number => {
    const at = order.indexOf(keyOf(pair))
    return at < 0 ? order.length : at
  }
  const [first] = node.items
  node.items.sort((a, b) => rank(a) - rank(b))
  // a comment above the first field belongs to that field, and goes where it goes
  if (first !== undefined && first !== node.items[0] && isScalar(first.key) && node.commentBefore && !isItem) {
    first.key.commentBefore = [node.commentBefore, first.key.commentBefore].filter(Boolean).join('\n')
    node.commentBefore = null
  }
  const fields: Readonly<Record<string, { readonly shape: Shape }>> = grammar[record]
  for (const pair of node.items) {
    const key = keyOf(pair)
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field !== undefined) arrange(pair.value, field.shape)
  }
}

/** What heads the document stays at its head when the field below it goes elsewhere; a last paragraph of several is about that field, and goes too. */
function keepHead(document: Document, root: YAMLMap): void {
  const start = Math.min(...root.items.map(startOf))
  const moved = root.items.slice(1).find((pair) => startOf(pair) === start)?.key
  const first = root.items[0]?.key
  if (!isScalar(moved) || !isScalar(first) || !moved.commentBefore) return
  const cut = moved.commentBefore.lastIndexOf('\n\n')
  if (cut < 0) {
    first.commentBefore = [moved.commentBefore, first.commentBefore].filter(Boolean).join('\n')
    moved.commentBefore = null
  } else {
    document.commentBefore = [document.commentBefore, moved.commentBefore.slice(0, cut)].filter(Boolean).join('\n\n')
    moved.commentBefore = moved.commentBefore.slice(cut + 2)
  }
}

function startOf({ key }: Pair): number {
  return isScalar(key) ? (key.range?.[0] ?? 0) : 0
}

function fieldOrder(record: RecordName): readonly string[] {
  return Object.keys(grammar[record])
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : ''
}
