/** A JSON Schema validator of exactly the keywords that our own schema uses; another one throws, so that nothing is passed over. For tests only. */
import type { JsonSchema } from '../language/json-schema.ts'

/** Where and what is wrong, first of all; null when the value is valid. */
export function checkSchema(root: JsonSchema, value: unknown): string | null {
  return check(root, root, value, '')
}

type Problem = string | null
type Keyword = (argument: unknown, value: unknown, schema: JsonSchema, root: JsonSchema, path: string) => Problem

const annotations = new Set(['$schema', '$defs', 'title', 'description', 'examples'])

function check(root: JsonSchema, schema: JsonSchema, value: unknown, path: string): Problem {
  for (const [name, argument] of Object.entries(schema)) {
    if (annotations.has(name)) continue
    const keyword = keywords[name]
    if (keyword === undefined) throw new Error(`the test knows no keyword ${name}`)
    const problem = keyword(argument, value, schema, root, path)
    if (problem !== null) return problem
  }
  return null
}

function told(holds: boolean, path: string, what: string): Problem {
  return holds ? null : `${path}: ${what}`
}

// as, here and below: the arguments of keywords are our own, and a wrong one fails the test
const keywords: Readonly<Record<string, Keyword>> = {
  $ref: (argument, value, _, root, path) => {
    const name = String(argument).replace('#/$defs/', '')
    const definition = (root['$defs'] as Readonly<Record<string, JsonSchema>>)[name]
    if (definition === undefined) throw new Error(`no definition ${name}`)
    return check(root, definition, value, path)
  },
  type: (argument, value, _, __, path) =>
    told(
      [argument].flat().some((type) => hasType(type, value)),
      path,
      'type',
    ),
  enum: (argument, value, _, __, path) => told((argument as readonly unknown[]).includes(value), path, 'enum'),
  pattern: (argument, value, _, __, path) =>
    told(typeof value !== 'string' || new RegExp(String(argument), 'u').test(value), path, 'pattern'),
  minimum: (argument, value, _, __, path) =>
    told(typeof value !== 'number' || value >= Number(argument), path, 'minimum'),
  maximum: (argument, value, _, __, path) =>
    told(typeof value !== 'number' || value <= Number(argument), path, 'maximum'),
  maxLength: (argument, value, _, __, path) =>
    told(typeof value !== 'string' || value.length <= Number(argument), path, 'maxLength'),
  minItems: (argument, value, _, __, path) =>
    told(!Array.isArray(value) || value.length >= Number(argument), path, 'minItems'),
  minProperties: (argument, value, _, __, path) =>
    told(!isObject(value) || Object.keys(value).length >= Number(argument), path, 'minProperties'),
  required: (argument, value, _, __, path) =>
    told(
      !isObject(value) || (argument as readonly string[]).every((name) => Object.hasOwn(value, name)),
      path,
      'required',
    ),
  not: (argument, value, _, root, path) => told(check(root, argument as JsonSchema, value, path) !== null, path, 'not'),
  anyOf: (argument, value, _, root, path) => {
    const problems = (argument as readonly JsonSchema[]).map((one) => check(root, one, value, path))
    return told(problems.includes(null), path, `anyOf (${problems.join('; ')})`)
  },
  items: (argument, value, _, root, path) =>
    first(Array.isArray(value) ? value.entries() : [], ([at, item]) =>
      check(root, argument as JsonSchema, item, `${path}[${at}]`),
    ),
  properties: (argument, value, _, root, path) =>
    first(Object.entries(argument as Readonly<Record<string, JsonSchema>>), ([name, schema]) =>
      isObject(value) && Object.hasOwn(value, name) ? check(root, schema, value[name], `${path}.${name}`) : null,
    ),
  propertyNames: (argument, value, _, root, path) =>
    first(isObject(value) ? Object.keys(value) : [], (name) =>
      check(root, argument as JsonSchema, name, `${path}.${name}`),
    ),
  additionalProperties: (argument, value, schema, root, path) => {
    const known = isObject(schema['properties']) ? schema['properties'] : {}
    return first(isObject(value) ? Object.entries(value) : [], ([name, one]) => {
      if (Object.hasOwn(known, name)) return null
      return argument === false
        ? `${path}.${name}: unknown`
        : check(root, argument as JsonSchema, one, `${path}.${name}`)
    })
  },
}

function first<T>(items: Iterable<T>, problemOf: (item: T) => Problem): Problem {
  for (const item of items) {
    const problem = problemOf(item)
    if (problem !== null) return problem
  }
  return null
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasType(type: unknown, value: unknown): boolean {
  if (type === 'object') return isObject(value)
  if (type === 'array') return Array.isArray(value)
  return type === 'integer' ? Number.isInteger(value) : typeof value === type
}
