import type { DocumentReader, Field, Fields } from '../document/document-reader.ts'
import { envelopeFields } from '../language/fields.ts'

export const documentVersion = 'hyperward/v1'

/** Checks `apiVersion` and `kind`; gives the document's own fields. Null when it is another kind of document: its fields would only make noise. */
export function readEnvelope(
  reader: DocumentReader,
  kind: 'Policy' | 'Inventory',
  known: readonly string[],
  root: Field = reader.root,
): Fields | null {
  const { report } = reader
  const all = reader.dictionary(root)
  if (all === null) return null
  const versionField = reader.required(all, root, 'apiVersion', `apiVersion: ${documentVersion}`)
  const kindField = reader.required(all, root, 'kind', `kind: ${kind}`)
  const version = versionField === null ? null : reader.text(versionField)
  const written = kindField === null ? null : reader.text(kindField)
  if (versionField !== null && version !== null && version !== documentVersion) {
    report.add('document.wrong-version', versionField.path, versionField.place, {
      text: version,
      expected: documentVersion,
    })
  }
  if (kindField !== null && written !== null && written !== kind) {
    report.add('document.wrong-kind', kindField.path, kindField.place, { text: written, expected: kind })
    return null
  }
  return reader.checkKnown(all, [...envelopeFields, ...known])
}
