import { globSync, readFileSync } from 'node:fs'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

import { parsePolicy } from '../parse/parse-policy.ts'
import { arbitraryParts, toPolicyText } from '../testing/arbitrary-policy.ts'
import { checkSchema } from '../testing/check-schema.ts'
import * as fields from './fields.ts'
import { grammar } from './grammar.ts'
import { type JsonSchema, toJsonSchema } from './json-schema.ts'

const root = new URL('../../../', import.meta.url)
const schema = toJsonSchema()

/** As an editor reads it: numbers and truth values are not texts there. */
function problem(text: string): string | null {
  const value: unknown = parse(text)
  return checkSchema(schema, value)
}

function problemIn(text: string): string | null {
  return problem(`apiVersion: hyperward/v1\nkind: Policy\n${text}`)
}

test('schema/policy.schema.json is what the grammar says (renew it with scripts/gen)', () => {
  expect(readFileSync(new URL('schema/policy.schema.json', root), 'utf8')).toBe(`${JSON.stringify(schema, null, 2)}\n`)
})

test('every policy of the examples, of the golden folders and of the page that parses is valid', () => {
  const files = globSync(['examples/**/*.yaml', 'tests/golden/**/*.yaml', 'core/policy/testing/*.yaml'], { cwd: root })
  const page = readFileSync(new URL('docs/policy-language.md', root), 'utf8')
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? []
  const texts = [example, ...files.map((file) => readFileSync(new URL(file, root), 'utf8'))]
  const valid = texts.filter((text) => parsePolicy(text, 'p').ok)
  expect(valid.length).toBeGreaterThan(8)
  for (const text of valid) expect([text.slice(0, 200), problem(text)]).toEqual([text.slice(0, 200), null])
})

test('random policies are valid', () => {
  fc.assert(
    fc.property(arbitraryParts, (parts) => {
      expect(problem(toPolicyText(parts))).toBeNull()
    }),
    { seed: 20_260_701, numRuns: 100 },
  )
})

test('a misspelt field is refused, in every kind of record', () => {
  const records: Readonly<Record<string, string>> = {
    provider: 'provider: {X: {}}',
    tenant: 'tenants: {acme: {X: {}}}',
    policy: 'provider: {platform: [{policy: p, rules: [], X: 1}]}',
    rule: 'provider: {platform: [{policy: p, rules: [{name: r, from: any, to: any, action: drop, X: 1}]}]}',
    log: 'provider: {platform: [{policy: p, rules: [{name: r, from: any, to: any, action: drop, log: {X: 1}}]}]}',
    side: 'provider: {platform: [{policy: p, rules: [{name: r, from: {X: [a]}, to: any, action: drop}]}]}',
    group: 'tenants: {acme: {groups: {g: {X: [a]}}}}',
    expression: 'tenants: {acme: {groups: {g: {expressions: [{label: a, X: [b]}]}}}}',
    criteria: 'tenants: {acme: {groups: {g: {not: {X: [b]}}}}}',
    service: 'provider: {services: {s: {X: [1]}}}',
    schedule: 'provider: {schedules: {s: {time-zone: UTC, windows: [{}], X: 1}}}',
    window: 'provider: {schedules: {s: {time-zone: UTC, windows: [{X: 1}]}}}',
    profile: 'provider: {profiles: {p: {X: 1}}}',
    exclusion: 'provider: {exclusions: [{name: x, members: g, reason: r, expires: 2099-01-01, X: 1}]}',
    guarantee: 'provider: {guarantees: [{name: x, never: {from: a, to: b}, X: 1}]}',
    statement: 'provider: {guarantees: [{name: x, never: {from: a, to: b, X: 1}}]}',
    document: 'X: 1',
  }
  for (const [record, text] of Object.entries(records)) {
    expect([record, problemIn(text)]).toEqual([record, expect.stringContaining('X: unknown')])
    // the same without it is valid: nothing else was wrong
    const right = text.replaceAll(/,? ?X: (\[\w\]|\{\}|1)/g, '')
    if (!/\{\}/.test(right) || record === 'provider' || record === 'tenant' || record === 'profile')
      expect([right, problemIn(right === '' ? 'tenants: {}' : right.replace('from: {}', 'from: any'))]).toEqual([
        right,
        null,
      ])
  }
})

test('values out of place are refused', () => {
  const rule = (text: string): string | null =>
    problemIn(`tenants: {acme: {policies: [{policy: p, rules: [{${text}}]}]}}`)
  expect(rule('name: r, from: any, to: any, action: allow')).toBeNull()
  expect(rule('name: r, from: any, to: any, action: accept')).toContain('enum')
  expect(rule('name: r, from: any, action: allow')).toContain('required')
  expect(rule('name: r, from: [], to: any, action: allow')).toContain('minItems')
  expect(rule('name: r, from: any, to: any, action: allow, log: {rate: 0}')).toContain('minimum')
  expect(problemIn('tenants: {acme: {groups: {any: {names: [a]}}}}')).toContain('not')
  expect(problemIn('tenants: {acme: {groups: {g: {tenants: [acme]}}}}')).toContain('unknown')
  expect(problemIn('provider: {groups: {g: {tenants: [acme]}}}')).toBeNull()
})

test('every field of the parser is in the grammar, in its order, with a sentence', () => {
  const lists: readonly (readonly string[])[] = Object.values(fields)
  const inGrammar = new Set(Object.values(grammar).flatMap((record) => Object.keys(record)))
  const values = [...fields.ruleActions, ...fields.ruleDirections, ...fields.defaultActions, ...fields.weekdays]
  const known = lists.flat().filter((field) => !values.some((value) => value === field))
  expect(known.filter((field) => !inGrammar.has(field))).toEqual([])
  for (const record of Object.values(grammar)) {
    const names = Object.keys(record).join()
    expect(lists.some((list) => list.join() === names) || names.startsWith('apiVersion,kind,provider')).toBe(true)
  }
})

test('in Chinese only the descriptions differ', () => {
  const bare = (value: JsonSchema): string =>
    JSON.stringify(value, (key, one: unknown) => (key === 'description' && typeof one === 'string' ? '' : one))
  const chinese = toJsonSchema('zh-CN')
  expect(bare(chinese)).toBe(bare(schema))
  expect(JSON.stringify(chinese)).toMatch(/\p{Script=Han}/u)
})
