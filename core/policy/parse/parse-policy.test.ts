import { readFileSync } from 'node:fs'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { documentMaxChars } from '../document/compose-document.ts'
import { diagnosticLimit } from '../document/report.ts'
import { arbitraryParts, toPolicyText } from '../testing/arbitrary-policy.ts'
import { parseInventory } from './parse-inventory.ts'
import { parsePolicy } from './parse-policy.ts'

const head = 'apiVersion: hyperward/v1\nkind: Policy\n'
const demo = readFileSync(new URL('../../../examples/demo/policy.yaml', import.meta.url), 'utf8')

function codes(text: string): readonly string[] {
  const parsed = parsePolicy(text, 'p.yaml')
  return (parsed.ok ? parsed.warnings : parsed.diagnostics).map(
    ({ code, place }) => `${code} ${place?.line}:${place?.column}`,
  )
}

test('the demo policies are valid', () => {
  expect(codes(demo)).toEqual([])
  expect(codes(readFileSync(new URL('../../../examples/demo/policy-changed.yaml', import.meta.url), 'utf8'))).toEqual(
    [],
  )
})

const refused: readonly (readonly [name: string, text: string, diagnostics: readonly string[]])[] = [
  ['nothing', '', ['document.empty 1:1']],
  ['only a comment', '# later\n', ['document.empty 1:1']],
  ['no version and no kind', 'tenants: {}\n', ['field.missing 1:1', 'field.missing 1:1']],
  ['another version', 'apiVersion: hyperward/v9\nkind: Policy\n', ['document.wrong-version 1:13']],
  ['another kind', 'apiVersion: hyperward/v1\nkind: Inventory\nvms: []\n', ['document.wrong-kind 2:7']],
  ['two documents', `${head}---\n${head}`, ['document.several 3:1']],
  ['a list instead of a mapping', '- a\n', ['field.wrong-type 1:1']],
  ['a tag', `${head}tenants: !!python/object {}\n`, ['document.not-yaml 3:10']],
  ['an unknown field at the top', `${head}tenant: {}\n`, ['field.unknown 3:1']],
  ['a rule without sides', rule('{name: r, action: allow}'), ['field.missing 8:11', 'field.missing 8:11']],
  ['a rule without an action', rule('{name: r, from: any, to: any}'), ['field.missing 8:11']],
  ['any in a list', rule('{name: r, from: [any], to: any, action: drop}'), ['rule.any-in-list 8:28']],
  ['a log that is neither', rule('{name: r, from: any, to: any, action: drop, log: yes}'), ['field.wrong-type 8:60']],
]

function rule(text: string): string {
  return `${head}tenants:\n  acme:\n    policies:\n    - policy: p\n      rules:\n        - ${text}\n`
}

test.each(refused)('refused with line and column: %s', (_, text, expected) => {
  const parsed = parsePolicy(text, 'p.yaml')
  expect(parsed.ok).toBe(false)
  expect(codes(text)).toEqual(expected)
})

test('an alias bomb is refused at once, without being expanded', () => {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (let level = 1; level < 20; level += 1) {
    const before = String.fromCodePoint(96 + level)
    lines.push(
      `${String.fromCodePoint(97 + level)}: &${String.fromCodePoint(97 + level)} [${`*${before}, `.repeat(9)}]`,
    )
  }
  const found = codes(`${head}tenants: {acme: {groups: {web: {networks: *t}}}}\n${lines.join('\n')}\n`)
  expect(found).toContain('document.alias 3:43')
  expect(found.length).toBeLessThan(30)
})

test('a document too deep or too large is one diagnostic', () => {
  for (const deep of ['['.repeat(100_000), '- '.repeat(50_000), '{a: '.repeat(20_000), `${'? '.repeat(20_000)}a`]) {
    expect(codes(deep).map((code) => code.split(' ')[0])).toEqual(['document.too-deep'])
  }
  expect(codes('#'.repeat(documentMaxChars + 1))).toEqual(['document.too-large 1:1'])
})

test('a thousand problems are told, then one that says so', () => {
  const groups = Array.from({ length: 3000 }, (_, index) => `      g${index}: {lables: {}}\n`).join('')
  const found = codes(`${head}tenants:\n  acme:\n    groups:\n${groups}`)
  expect(found.length).toBe(diagnosticLimit + 1)
  expect(found.filter((code) => code.startsWith('document.too-many-problems'))).toHaveLength(1)
})

test('label values and names stay the text that was written', () => {
  const text = `${head}tenants: {acme: {groups: {a: {labels: {version: 1.10, on: no, hex: 0x1f, __proto__: x}}}}}\n`
  const parsed = parsePolicy(text, 'p.yaml')
  const selector = parsed.ok ? parsed.value.groups[0]?.selector : null
  expect(selector?.kind === 'endpoints' ? selector.criteria : null).toEqual(
    [
      ['__proto__', 'x'],
      ['hex', '0x1f'],
      ['on', 'no'],
      ['version', '1.10'],
    ].map(([key, value]) => ({ kind: 'label', key, values: [value], negated: false })),
  )
})

test('invariant 5: a broken rule in a policy is one diagnostic, wherever it stands', () => {
  fc.assert(
    fc.property(arbitraryParts, fc.nat(2), fc.nat(6), (parts, tenant, at) => {
      const broken = 'from: web, to: db, service: {tcp: [443-80]}, action: allow'
      const tenants = parts.tenants.map((one, index) =>
        index === tenant ? { ...one, rules: one.rules.toSpliced(at, 0, broken) } : one,
      )
      const found = codes(toPolicyText({ ...parts, tenants })).map((code) => code.split(' ')[0])
      expect(found).toEqual(['port.inverted-range'])
    }),
    { seed: 20_260_404, numRuns: 60 },
  )
})

const hostile = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  ':',
  '- ',
  '\n',
  '  ',
  '\t',
  '&a ',
  '*a',
  '!!str ',
  '|',
  '>',
  '"',
  "'",
  '#',
  '?',
  '%',
  '\0',
  '\u202E',
  '---\n',
  '...\n',
  '<<: ',
  '\uD800',
)

test('no text makes the parsers throw, and each error has a place', () => {
  const mutated = fc
    .record({
      at: fc.nat(demo.length),
      cut: fc.nat(40),
      put: fc.oneof(hostile, fc.string({ maxLength: 8, unit: 'binary' })),
    })
    .map(({ at, cut, put }) => demo.slice(0, at) + put + demo.slice(at + cut))
  const text = fc.oneof(
    { weight: 3, arbitrary: mutated },
    { weight: 1, arbitrary: fc.string({ maxLength: 300, unit: 'binary' }) },
    { weight: 1, arbitrary: fc.array(hostile, { maxLength: 60 }).map((parts) => head + parts.join('')) },
  )
  fc.assert(
    fc.property(text, (document) => {
      for (const parsed of [parsePolicy(document, 'p.yaml'), parseInventory(document, 'i.yaml')]) {
        if (parsed.ok) continue
        expect(parsed.diagnostics.length).toBeGreaterThan(0)
        for (const { place, message } of parsed.diagnostics) {
          expect([place?.line ?? 0, place?.column ?? 0].every((number) => number >= 1)).toBe(true)
          expect(message).not.toMatch(/\{@?\w+\}.*\{@?\w+\}|undefined/)
        }
      }
    }),
    { seed: 20_260_405, numRuns: 250 },
  )
})
