/**
 * A policy document in its one canonical layout: fields in the order of the grammar, two spaces, short flow collections on one line and long ones
 * in block style, comments kept. Never another meaning: what was read before is read after, or the formatter throws.
 */
import type { Parsed } from '@hyperward/model'
import { isAlias, isMap, isScalar, type Node, parseDocument, visit } from 'yaml'

import { composeDocument } from '../document/compose-document.ts'
import { createReport, sortDiagnostics } from '../document/report.ts'
import { documentVersion } from '../parse/read-envelope.ts'
import { arrangeFields } from './arrange-fields.ts'
import { findDifference } from './find-difference.ts'
import { keepKeyComments } from './keep-key-comments.ts'
import { layOut } from './lay-out.ts'

/** Diagnostics are those of a text that is no single YAML document without aliases, or another kind of document; the policy itself is not judged. */
export function formatPolicy(text: string, file: string): Parsed<string> {
  const report = createReport()
  const composed = composeDocument(text, file, documentVersion, report)
  if (composed === null || !report.usable()) return { ok: false, diagnostics: sortDiagnostics(report.diagnostics) }
  const place = (node: Node): ReturnType<typeof composed.placeAt> => composed.placeAt(node.range?.[0] ?? 0)
  visit(composed.root, {
    Alias: (_, node) => report.add('document.alias', '', place(node), {}),
    Pair: (_, { key, value }) => {
      const params = { expected: 'text', actual: 'nothing' } as const
      if (value === null) report.add('field.wrong-type', '', place(key as Node), params) // as: the composer builds pairs of nodes
    },
  })
  const kind = kindOf(composed.root)
  if (kind !== null && kind.text !== 'Policy')
    report.add('document.wrong-kind', 'kind', place(kind.node), { text: kind.text, expected: 'Policy' })
  if (!report.usable()) return { ok: false, diagnostics: sortDiagnostics(report.diagnostics) }
  const formatted = render(text)
  const difference = findDifference(text, formatted)
  if (difference !== null) throw new Error(`formatting would change the document: ${difference}`)
  return { ok: true, value: formatted, warnings: [] }
}

function kindOf(root: Node): { readonly text: string; readonly node: Node } | null {
  if (!isMap(root)) return null
  const pair = root.items.find(({ key }) => isScalar(key) && key.value === 'kind')
  return isScalar(pair?.value) && !isAlias(pair.value) ? { text: String(pair.value.value), node: pair.value } : null
}

function render(text: string): string {
  // composed anew, because a document has comments before and after its root
  const document = parseDocument(text, { schema: 'failsafe', uniqueKeys: false })
  keepKeyComments(document, text)
  arrangeFields(document)
  layOut(document)
  return document.toString({
    lineWidth: 0,
    indent: 2,
    indentSeq: true,
    doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
  })
}
