/**
 * Reads YAML nodes field by field and says, with line and column, what is not as it should be. Every read returns null after it has reported,
 * so that the caller goes on and finds the rest.
 */
import { isName, nameMaxLength, parseAddressValue, type SourcePlace } from '@hyperward/model'
import { nearest, type TermKey } from '@hyperward/catalogue'
import { isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'

import type { ComposedDocument } from './compose-document.ts'
import type { Report } from './report.ts'

/** A node with its path in the document. */
export interface Field {
  readonly node: Node
  readonly path: string
  readonly place: SourcePlace
  /** Of its own document: fields of several documents may meet in one reader. */
  readonly placeAt: ComposedDocument['placeAt']
}

export interface NamedField extends Field {
  readonly key: string
  readonly keyPlace: SourcePlace
}

export type Fields = ReadonlyMap<string, NamedField>

export interface DocumentReader {
  readonly report: Report
  readonly root: Field
  /** Names that were referred to, as `<thing> <qualified name>`; filled while references are read. */
  readonly mentioned: Set<string>
  /** The root of another document that is read together with this one. */
  readonly otherRoot: (document: ComposedDocument) => Field
  /** A mapping with a closed set of fields; unknown ones are reported with the nearest known. */
  readonly record: (field: Field, known: readonly string[]) => Fields | null
  /** A mapping whose keys are the user's names. */
  readonly dictionary: (field: Field) => Fields | null
  /** Reports and removes the fields that are not known. */
  readonly checkKnown: (fields: Fields, known: readonly string[]) => Fields
  readonly list: (field: Field) => readonly Field[] | null
  readonly text: (field: Field) => string | null
  readonly isText: (field: Field) => boolean
  readonly isList: (field: Field) => boolean
  readonly isRecord: (field: Field) => boolean
  /** Items of a list; a single value is a list of one. */
  readonly listOrOne: (field: Field) => readonly Field[]
  /** For "Did you mean": '' when nobody would see it. */
  readonly nearest: (text: string, known: Iterable<string>) => string
  /** Reports a node of another kind than the wanted one. */
  readonly wrongType: (field: Field, expected: TermKey) => null
  readonly truth: (field: Field) => boolean | null
  /** Reports a missing field at the start of its record. */
  readonly required: (fields: Fields, record: Field, name: string, example: string) => NamedField | null
}

export function createDocumentReader(root: Node, placeAt: ComposedDocument['placeAt'], report: Report): DocumentReader {
  const wrongType = (field: Field, expected: TermKey): null => {
    if (isAlias(field.node)) report.add('document.alias', field.path, field.place, {})
    else report.add('field.wrong-type', field.path, field.place, { expected, actual: describe(field.node) })
    return null
  }

  const mapping = (field: Field): Map<string, NamedField> | null => {
    if (!isMap(field.node)) return wrongType(field, 'mapping')
    const fields = new Map<string, NamedField>()
    for (const pair of field.node.items) {
      // the composer builds pairs of nodes; a pair without a value has null
      const keyNode = pair.key as Node
      const keyPlace = field.placeAt(keyNode.range?.[0] ?? 0)
      if (!isScalar(keyNode)) {
        wrongType(toField(keyNode, field.path, field.placeAt), 'text')
        continue
      }
      const key = String(keyNode.value)
      const path = field.path === '' ? key : `${field.path}.${key}`
      const first = fields.get(key)
      if (first !== undefined) {
        report.add('field.duplicate', path, keyPlace, { field: key, line: first.keyPlace.line, file: '' })
        continue
      }
      const valueNode = (pair.value ?? keyNode) as Node
      if (pair.value === null) report.add('field.wrong-type', path, keyPlace, { expected: 'text', actual: 'nothing' })
      else {
        const place = field.placeAt(valueNode.range?.[0] ?? 0)
        fields.set(key, { node: valueNode, path, place, placeAt: field.placeAt, key, keyPlace })
      }
    }
    return fields
  }

  const checkKnown = (fields: Fields, known: readonly string[]): Fields => {
    let unknown = false
    for (const [key, { path, keyPlace }] of fields) {
      if (known.includes(key)) continue
      unknown = true
      report.add('field.unknown', path, keyPlace, { field: key, nearest: report.full() ? '' : nearest(key, known) })
    }
    return unknown ? new Map([...fields].filter(([key]) => known.includes(key))) : fields
  }

  const text = (field: Field): string | null => {
    if (!isScalar(field.node)) return wrongType(field, 'text')
    const value = String(field.node.value)
    if (value === '' && field.node.type === 'PLAIN') return wrongType(field, 'text')
    return value
  }

  const list = (field: Field): readonly Field[] | null => {
    if (!isSeq(field.node)) return wrongType(field, 'list')
    return field.node.items.map((item, index) => toField(item as Node, `${field.path}[${index}]`, field.placeAt))
  }

  return {
    report,
    root: toField(root, '', placeAt),
    otherRoot: (document) => toField(document.root, '', document.placeAt),
    record: (field, known) => {
      const fields = mapping(field)
      return fields === null ? null : checkKnown(fields, known)
    },
    checkKnown,
    dictionary: mapping,
    list,
    listOrOne: (field) => (isScalar(field.node) ? [field] : (list(field) ?? [])),
    text,
    isText: (field) => isScalar(field.node),
    isList: (field) => isSeq(field.node),
    isRecord: (field) => isMap(field.node),
    wrongType,
    mentioned: new Set(),
    nearest: (text, known) => (report.full() ? '' : nearest(text, known)),
    truth: (field) => {
      const value = isScalar(field.node) ? String(field.node.value) : ''
      if (value === 'true' || value === 'false') return value === 'true'
      wrongType(field, 'false-or-true')
      return null
    },
    required: (fields, record, name, example) => {
      const found = fields.get(name)
      if (found !== undefined) return found
      report.add('field.missing', record.path, record.place, { field: name, example })
      return null
    },
  }
}

function toField(node: Node, path: string, placeAt: ComposedDocument['placeAt']): Field {
  return { node, path, place: placeAt(node.range?.[0] ?? 0), placeAt }
}

/** A user's own name, or null after saying what is wrong with it. */
export function readName(
  report: Report,
  text: string,
  thing: TermKey,
  path: string,
  place: SourcePlace,
): string | null {
  if (text.length > nameMaxLength) {
    report.add('name.too-long', path, place, {
      thing,
      length: text.length,
      limit: nameMaxLength,
      start: Array.from(text).slice(0, 12).join(''),
    })
    return null
  }
  if (isReserved(text)) {
    report.add('name.reserved', path, place, { text, thing })
    return null
  }
  if (isName(text)) return text
  report.add('name.malformed', path, place, { text, thing })
  return null
}

/** Words of the language itself: a group called `any` would read as everything, one called `10.0.0.1` as an address. */
function isReserved(text: string): boolean {
  return text === 'any' || text === 'provider' || text === 'common' || parseAddressValue(text) !== null
}

function describe(node: Node): TermKey {
  if (isMap(node)) return 'mapping'
  if (isSeq(node)) return 'list'
  if (isScalar(node)) return node.value === '' ? 'nothing' : 'text'
  return 'block'
}
