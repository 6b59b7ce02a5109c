/** Texts meant to break the parser: it must answer with diagnostics, in bounded time, and never throw. Longer ones than here only take longer. */
import { readFileSync } from 'node:fs'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { bundlePolicyFiles, splitBundle } from '../document/bundle.ts'
import { documentMaxLexemes } from '../document/compose-document.ts'
import { parsePolicy, parsePolicyFiles, policyFilesLimit } from './parse-policy.ts'
import { serviceUnionLimit } from './service-unions.ts'

const head = 'apiVersion: hyperward/v1\nkind: Policy\n'
const golden = [
  'rule-fields-gone-wrong',
  'selectors-half-written',
  'sides-that-match-nothing',
  'schedules-that-never-hold',
  'guarantees-half-written',
  'services-that-contain-themselves',
].map((name) => readFileSync(new URL(`../../../tests/golden/${name}/policy.yaml`, import.meta.url), 'utf8'))

function codes(text: string): readonly string[] {
  const parsed = parsePolicy(text, 'p.yaml')
  return [...new Set((parsed.ok ? parsed.warnings : parsed.diagnostics).map(({ code }) => code))]
}

function list(count: number, item: (index: number) => string, between = ', '): string {
  return Array.from({ length: count }, (_, index) => item(index)).join(between)
}

const nines = '9'.repeat(100_000)
const bombs: readonly (readonly [name: string, text: string, codes: readonly string[]])[] = [
  ['a list of millions', `${head}tenants: [${'a,'.repeat(documentMaxLexemes / 2)}]`, ['document.too-many-values']],
  ['a hundred thousand brackets that close', ']\n'.repeat(100_000), ['document.not-yaml']],
  ['a hundred thousand documents', '---\n'.repeat(100_000), ['document.several']],
  [
    'a hundred thousand tags',
    `${head}x: [${'!x a, '.repeat(100_000)}]`,
    ['document.not-yaml', 'document.too-many-problems'],
  ],
  ['a quote that never ends', `${head}tenants: "${'a\n'.repeat(500_000)}`, ['document.not-yaml']],
  ['a key of a million letters', `${head}"${'k'.repeat(1_000_000)}": b\n`, ['document.not-yaml']],
  ['nothing but zeros', '\0'.repeat(1_000_000), ['field.wrong-type']],
  ['UTF-16 read as UTF-8', Buffer.from(`${head}tenants: {}\n`, 'utf16le').toString('utf8'), ['field.wrong-type']],
  [
    'numbers of a hundred thousand digits',
    `${head}provider: {platform: [{policy: p, order: ${nines}, rules: [{name: r, from: 10.0.0.0/${nines}, to: any, action: drop, expires: ${nines}-01-01, service: {tcp: [${nines}], protocol: 1e308}, log: {rate: -${nines}}}]}]}`,
    ['number.out-of-range', 'address.malformed', 'date.malformed', 'port.malformed', 'protocol.out-of-range'],
  ],
  [
    'services in a circle of twenty thousand',
    `${head}provider: {services: {${list(20_000, (index) => `s${index}: {services: [s${(index + 1) % 20_000}]}`)}}}`,
    ['service.cycle'],
  ],
  [
    'groups in a circle of twenty thousand',
    `${head}provider: {groups: {${list(20_000, (index) => `g${index}: {groups: [g${(index + 1) % 20_000}]}`)}}}`,
    ['group.cycle'],
  ],
  [
    'services that hold each other, one more each',
    `${head}provider: {services: {s0: {tcp: [1]}, ${list(3000, (index) => `s${index + 1}: {services: [s${index}], tcp: [${2 * index + 3}]}`)}}}`,
    ['service.too-large'],
  ],
  [
    'unknown groups beside many known ones',
    `${head}provider: {groups: {${list(1000, (index) => `group-number-${index}: {names: a}`)}}, platform: [{policy: p, rules: [${list(
      20_000,
      (index) => `{name: r${index}, from: grop-numbr-${index}, to: any, action: drop}`,
    )}]}]}`,
    ['group.unknown', 'document.too-many-problems'],
  ],
  [
    'twenty thousand wrong zones',
    `${head}provider: {schedules: {${list(20_000, (index) => `s${index}: {time-zone: Europe/Berlim, windows: [{}]}`)}}}`,
    ['schedule.zone-unknown', 'document.too-many-problems'],
  ],
  [
    'a pattern of a million stars',
    `${head}provider: {groups: {g: {names: ["${'*'.repeat(1_000_000)}"]}}}`,
    ['pattern.too-long'],
  ],
  [
    'more files than are read',
    list(policyFilesLimit + 1, (index) => `# hyperward:file "f${index}"\n${head}`, '\n---\n'),
    ['document.too-many-files'],
  ],
]

test.each(bombs)('refused in bounded time: %s', { timeout: 30_000 }, (_, text, expected) => {
  const before = performance.now()
  expect(codes(text)).toEqual(expected)
  // a second on an idle machine: twenty is a hang
  expect(performance.now() - before).toBeLessThan(20_000)
})

test('a large service that thousands of rules list beside another is united once', () => {
  const ranges = list(20_000, (index) => String(2 * index))
  const rules = list(5000, (index) => `{name: r${index}, from: any, to: any, action: drop, service: [large, ssh]}`)
  const text = `${head}provider: {services: {large: {tcp: [${ranges}]}}, platform: [{policy: p, rules: [${rules}]}]}`
  const parsed = parsePolicy(text, 'p.yaml')
  expect(20_000 * 5000).toBeGreaterThan(serviceUnionLimit)
  expect(parsed.ok && new Set(parsed.value.rules.map((rule) => rule.service)).size).toBe(1)
})

test('a diagnostic repeats no more of a document than a person reads', () => {
  const parsed = parsePolicy(`${head}provider: {groups: {g: {groups: ["${'g'.repeat(1_000_000)}"]}}}`, 'p.yaml')
  expect(JSON.stringify(parsed).length).toBeLessThan(2000)
})

const marks = [
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
  '>-',
  '"',
  "'",
  '#',
  '? ',
  '%',
  '\0',
]
const others = [
  '\uFEFF',
  '\u202E',
  '\uFFFD',
  '\u2028',
  '\u0085',
  '\uD800',
  '---\n',
  '...\n',
  '<<: ',
  '__proto__: ',
  'é',
  '\r',
  '{}',
  'any',
]
const hostile = fc.oneof(
  fc.constantFrom(...marks, ...others, '# hyperward:file "x"\n', '\n---\n# hyperward:file "y"\n'),
  fc.string({ maxLength: 8, unit: 'binary' }),
)
const mutated = fc
  .tuple(
    fc.constantFrom(...golden),
    fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(30), put: hostile }), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce((edited, { at, cut, put }) => {
      const start = Math.floor(at * edited.length)
      return edited.slice(0, start) + put + edited.slice(start + cut)
    }, text),
  )
/** As a program reads it that takes it for another encoding. */
const misread = fc
  .tuple(
    fc.oneof(mutated, fc.constantFrom(...golden)),
    fc.constantFrom<readonly BufferEncoding[]>(
      ['utf8', 'latin1'],
      ['utf16le', 'utf8'],
      ['utf8', 'utf16le'],
      ['utf16le', 'latin1'],
      ['latin1', 'utf8'],
    ),
  )
  .map(([text, [written, read]]) => Buffer.from(text, written).toString(read))
const soup = fc.array(hostile, { maxLength: 80 }).map((parts) => head + parts.join(''))

test(
  'no text of the whole language makes the parser throw; each error has a place and a sentence',
  { timeout: 60_000 },
  () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: mutated }, misread, soup), (text) => {
        const parsed = parsePolicy(text, 'p.yaml')
        if (parsed.ok) return
        expect(parsed.diagnostics.length).toBeGreaterThan(0)
        for (const { place, message } of parsed.diagnostics) {
          expect([place?.line ?? 0, place?.column ?? 0].every((number) => number >= 1)).toBe(true)
          expect(message).not.toMatch(/undefined|\[object/)
        }
      }),
      { seed: 20_260_701, numRuns: 400 },
    )
  },
)

test('a name in a bundle breaks no line, neither where it is made nor where it is read', () => {
  const [made] = splitBundle(bundlePolicyFiles([{ file: 'a\n"b\u2028\u001B[2Jc', text: head }]), 'stored')
  expect(made?.file).toBe('a\uFFFD"b\uFFFD\uFFFD[2Jc')
  for (const name of ['a\u2028b', 'a\\u2029b', 'a\\u0000b', 'a\\nb', ''])
    expect(splitBundle(`# hyperward:file "${name}"\n${head}`, 'stored').map(({ file }) => file)).toEqual(['stored'])
})

test('a bundle gives back the files that went in, and parses as they do', { timeout: 60_000 }, () => {
  const arbitraryFile = fc.record({
    file: fc.stringMatching(/^[a-z"\\ é/]{1,12}$/),
    text: fc.oneof(
      mutated,
      fc.constantFrom(...golden),
      fc.string({ maxLength: 20 }),
      fc.constantFrom('', '\n', '---\n', '---'),
    ),
  })
  fc.assert(
    fc.property(fc.array(arbitraryFile, { minLength: 1, maxLength: 3 }), (files) => {
      const plain = files.every(({ text }) => !text.includes('# hyperward:file'))
      const bundle = bundlePolicyFiles(files)
      if (plain) expect(splitBundle(bundle, 'stored')).toEqual(files)
      expect(bundlePolicyFiles([{ file: 'stored', text: bundle }])).toBe(bundle)
      expect(parsePolicy(bundle, 'stored')).toEqual(parsePolicyFiles(files))
    }),
    { seed: 20_260_702, numRuns: 150 },
  )
})
