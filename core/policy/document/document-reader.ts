/**
 * Reads YAML nodes field by field and says, with line and column, what is not as it should be. Every read returns null after it has reported,
 * so that the caller goes on and finds the rest.
 */
import { isName, nameMaxLength, type SourcePlace } from '@hyperward/model'
import { nearest, type TermKey } from '@hyperward/catalogue'
import { isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'

import type { Report } from './report.ts'

/** A node with its path in the document. */
export interface Field {
  readonly node: Node
  readonly path: string
  readonly place: SourcePlace
}

export interface NamedField extends Field {
  readonly key: string
  readonly keyPlace: SourcePlace
}

export type Fields = ReadonlyMap<string, NamedField>

export interface DocumentReader {
  readonly report: Report
  readonly root: Field
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
  readonly truth: (field: Field) => boolean | null
  /** Reports a missing field at the start of its record. */
  readonly required: (fields: Fields, record: Field, name: string, example: string) => NamedField | null
}

export function createDocumentReader(
  root: Node,
  placeAt: (offset: number) => SourcePlace,
  report: Report,
): DocumentReader {
  const toField = (node: Node, path: string): Field => ({ node, path, place: placeAt(node.range?.[0] ?? 0) })

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
      const keyPlace = placeAt(keyNode.range?.[0] ?? 0)
      if (!isScalar(keyNode)) {
        wrongType(toField(keyNode, field.path), 'text')
        continue
      }
      const key = String(keyNode.value)
      const path = field.path === '' ? key : `${field.path}.${key}`
      const first = fields.get(key)
      if (first !== undefined) {
        report.add('field.duplicate', path, keyPlace, { field: key, line: first.keyPlace.line })
        continue
      }
      const valueNode = (pair.value ?? keyNode) as Node
      if (pair.value === null) report.add('field.wrong-type', path, keyPlace, { expected: 'text', actual: 'nothing' })
      else fields.set(key, { ...toField(valueNode, path), key, keyPlace })
    }
    return fields
  }

  const checkKnown = (fields: Fields, known: readonly string[]): Fields => {
    for (const [key, { path, keyPlace }] of fields) {
      if (!known.includes(key))
        report.add('field.unknown', path, keyPlace, { field: key, nearest: nearest(key, known) })
    }
    return new Map([...fields].filter(([key]) => known.includes(key)))
  }

  const text = (field: Field): string | null => {
    if (!isScalar(field.node)) return wrongType(field, 'text')
    const value = String(field.node.value)
    if (value === '' && field.node.type === 'PLAIN') return wrongType(field, 'text')
    return value
  }

  return {
    report,
    root: toField(root, ''),
    record: (field, known) => {
      const fields = mapping(field)
      return fields === null ? null : checkKnown(fields, known)
    },
    checkKnown,
    dictionary: mapping,
    list: (field) => {
      if (!isSeq(field.node)) return wrongType(field, 'list')
      return field.node.items.map((item, index) => toField(item as Node, `${field.path}[${index}]`))
    },
    text,
    isText: (field) => isScalar(field.node),
    isList: (field) => isSeq(field.node),
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

/** Words of the language itself: a group called `any` would read as everything. */
function isReserved(text: string): boolean {
  return text === 'any' || text === 'provider'
}

function describe(node: Node): TermKey {
  if (isMap(node)) return 'mapping'
  if (isSeq(node)) return 'list'
  if (isScalar(node)) return node.value === '' ? 'nothing' : 'text'
  return 'block'
}
