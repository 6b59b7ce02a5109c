/**
 * The grammar as JSON Schema (draft 2020-12), for editors: completion, hover and a first check as one types. It is never stricter than the parser,
 * and looser where a rule is about more than one field; the parser has the last word.
 */
import { catalogue, type Locale } from '@hyperward/catalogue'
import { assertNever, nameMaxLength } from '@hyperward/model'

import { type FieldSpec, grammar, ownName, type RecordName, type Shape } from './grammar.ts'

export type JsonSchema = { readonly [key: string]: unknown }

/** Where the schema of `locale` differs from another's: descriptions only. */
export function toJsonSchema(locale: Locale = 'en'): JsonSchema {
  const definitions = new Map<string, JsonSchema>()
  const root = toRecord('document', { locale, owner: 'provider', definitions })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Hyperward policy',
    ...root,
    $defs: Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** `owner` decides whether fields of the provider alone are there. */
interface Scope {
  readonly locale: Locale
  readonly owner: 'provider' | 'tenant'
  readonly definitions: Map<string, JsonSchema>
}

function toRecord(name: RecordName, scope: Scope): JsonSchema {
  const entries: readonly (readonly [string, FieldSpec])[] = Object.entries(grammar[name])
  const fields = entries.filter(([, spec]) => scope.owner === 'provider' || spec.providerOnly !== true)
  const required = fields.filter(([, spec]) => spec.required === true).map(([field]) => field)
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(
      fields.map(([field, { text, shape }]) => [
        field,
        { description: catalogue[scope.locale][text], ...toSchema(shape, scope) },
      ]),
    ),
  }
}

function toSchema(shape: Shape, scope: Scope): JsonSchema {
  switch (shape.kind) {
    case 'text':
      return {
        type: ['string', 'number', 'boolean'],
        ...(shape.pattern === undefined ? {} : { pattern: shape.pattern }),
        ...(shape.examples === undefined ? {} : { examples: shape.examples }),
      }
    case 'choice':
      return { enum: shape.values }
    case 'truth':
      return { enum: [true, false, 'true', 'false'] }
    case 'number':
      return {
        type: ['integer', 'string'],
        minimum: shape.minimum,
        maximum: shape.maximum,
        pattern: '^-?[0-9]+$',
      }
    case 'list':
      return {
        type: 'array',
        items: toSchema(shape.of, scope),
        ...(shape.minimum === undefined ? {} : { minItems: shape.minimum }),
      }
    case 'map':
      return {
        type: 'object',
        ...(shape.keys === 'names'
          ? {
              propertyNames: {
                pattern: ownName,
                maxLength: nameMaxLength,
                not: { enum: ['any', 'provider', 'common'] },
              },
            }
          : {}),
        additionalProperties: toSchema(shape.of, scope),
        ...(shape.minimum === undefined ? {} : { minProperties: shape.minimum }),
      }
    case 'record':
      return toReference(shape.record, scope)
    case 'either':
      return { anyOf: shape.of.map((one) => toSchema(one, scope)) }
    default:
      return assertNever(shape)
  }
}

/** A definition for each owner: what a tenant may write is not all that the provider may. */
function toReference(name: RecordName, scope: Scope): JsonSchema {
  const owned: Scope = name === 'tenant' ? { ...scope, owner: 'tenant' } : scope
  const key = owned.owner === 'tenant' && name !== 'tenant' ? `tenant-${name}` : name
  if (!owned.definitions.has(key)) {
    // taken before it is made: a record may hold itself
    owned.definitions.set(key, {})
    owned.definitions.set(key, toRecord(name, owned))
  }
  return { $ref: `#/$defs/${key}` }
}
