import { globSync, readFileSync } from 'node:fs'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lexer } from 'yaml'

import { parsePolicy } from '../parse/parse-policy.ts'
import { arbitraryParts, toPolicyText } from '../testing/arbitrary-policy.ts'
import { formatPolicy } from './format-policy.ts'

function format(text: string): string {
  const formatted = formatPolicy(text, 'p.yaml')
  return formatted.ok ? formatted.value : expect.fail(JSON.stringify(formatted.diagnostics))
}

function codes(text: string): readonly string[] {
  const formatted = formatPolicy(text, 'p.yaml')
  return formatted.ok ? [] : formatted.diagnostics.map((one) => one.code)
}

/** What the parser makes of it, but for the places: a value, or the codes with their paths. */
function meaningOf(text: string): unknown {
  const parsed = parsePolicy(text, 'p.yaml')
  const codesOf = parsed.ok ? parsed.warnings : parsed.diagnostics
  const told = codesOf.map(({ code, path }) => `${code} ${path}`).sort()
  const value = JSON.stringify(parsed.ok ? parsed.value : null, (key, one: unknown) => (key === 'place' ? 0 : one))
  return [parsed.ok, value, told]
}

/** Of a document without scalars that begin with #. */
function commentsOf(text: string): readonly string[] {
  return [...new Lexer().lex(text)]
    .filter((one) => one.startsWith('#'))
    .map((one) => one.trim())
    .sort()
}

/** The text with comments above and behind lines, blank lines, quotes and wide lists put in at random. */
const disturbed = fc
  .record({ parts: arbitraryParts, seeds: fc.array(fc.nat(40), { minLength: 200, maxLength: 200 }) })
  .map(({ parts, seeds }) => {
    const lines = toPolicyText(parts).split('\n')
    const changed = lines.flatMap((line, at) => {
      const seed = seeds[at % seeds.length]
      const indent = /^ */.exec(line)?.[0] ?? ''
      if (line === '') return []
      if (seed === 0) return ['', '', `${indent}# above ${at}`, line]
      if (seed === 1) return [`${line}   # behind ${at}`]
      if (seed === 2) return [`${indent}# one ${at}`, '', `${indent}# two ${at}`, line]
      if (seed === 3) return [line.replaceAll(/: ([a-z]+)([,}])/g, ": '$1'$2")]
      if (seed === 4) return [line.replaceAll(', ', ' ,   ')]
      return seed === 5 ? [line.replace('{name: ', `{ # in ${at}\n${indent}        name: `)] : [line]
    })
    return changed.join('\n')
  })

test('what is formatted means what it meant, has its comments, and is not formatted again', () => {
  fc.assert(
    fc.property(disturbed, (text) => {
      const formatted = format(text)
      expect(meaningOf(formatted)).toEqual(meaningOf(text))
      expect(commentsOf(formatted)).toEqual(commentsOf(text))
      expect(format(formatted)).toBe(formatted)
    }),
    { seed: 20_260_702, numRuns: 50, endOnFailure: true },
  )
})

test('every document in the repository keeps its meaning, also one that is refused', () => {
  const root = new URL('../../../', import.meta.url)
  const files = globSync(['examples/**/policy*.yaml', 'tests/golden/*/policy.yaml', 'core/policy/testing/*.yaml'], {
    cwd: root,
  })
  expect(files.length).toBeGreaterThan(12)
  for (const file of files) {
    const text = readFileSync(new URL(file, root), 'utf8')
    if (codes(text).length > 0) continue
    expect([file, meaningOf(format(text))]).toEqual([file, meaningOf(text)])
    expect([file, format(format(text))]).toEqual([file, format(text)])
  }
})

test('fields come in the order of the grammar, with the comments above and behind them', () => {
  const text = `# head

# what it is
kind: Policy
apiVersion: 'hyperward/v1'


tenants:
    acme:
        # the rules
        policies:
        - rules:
          - {action: allow, name: "r1", from: [ "a" , 'b'], to: {not: ["fd00::/16"], any-of: [web]}} # tail


          # above
          - to: any # the end
            # where from
            from: any
            name: r2
            action: drop
          policy: 'p'
        groups:   # g
          web: {labels: {"no": 'yes', version: 1.10}}
# last
`
  expect(format(text)).toBe(`# head

apiVersion: hyperward/v1
# what it is
kind: Policy

tenants:
  acme:
    groups: # g
      web: { labels: { "no": "yes", version: 1.10 } }
    # the rules
    policies:
      - policy: p
        rules:
          - { name: r1, from: [a, b], to: { any-of: [web], not: ["fd00::/16"] }, action: allow } # tail

          # above
          - name: r2
            # where from
            from: any
            to: any # the end
            action: drop

# last
`)
})

test('a flow collection that is too long for a line becomes a block, its parts stay short', () => {
  const long = `apiVersion: hyperward/v1
kind: Policy
tenants: {acme: {policies: [{policy: p, rules: [{name: r, from: any, to: any, action: allow, description: and this is why}]}], default: drop}}
`
  expect(format(long)).toBe(`apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    policies: [{ policy: p, rules: [{ name: r, description: and this is why, from: any, to: any, action: allow }] }]
    default: drop
`)
})

test('the criteria of a selector in place are arranged too', () => {
  const rule = (from: string): string =>
    `apiVersion: hyperward/v1\nkind: Policy\nprovider:\n  platform:\n    - policy: p\n      rules:\n        - { name: r, from: ${from}, to: any, action: drop }\n`
  expect(format(rule('{not: {names: [a], labels: {b: c}}}'))).toBe(rule('{ not: { labels: { b: c }, names: [a] } }'))
  expect(format(rule('{not: [a], any-of: [b]}'))).toBe(rule('{ any-of: [b], not: [a] }'))
  expect(format(rule('{except: [10.1.0.0/16], networks: [10.0.0.0/8]}'))).toBe(
    rule('{ networks: [10.0.0.0/8], except: [10.1.0.0/16] }'),
  )
})

test('texts that another reader would take for something else keep their quotes, and block texts their lines', () => {
  const value = (text: string): string =>
    format(`apiVersion: hyperward/v1\nkind: Policy\ntenants: {acme: {groups: {g: {labels: {k: ${text}}}}}}`)
      .replace(/^[^]*k: /, '')
      .replace(/[ }]+\n$/, '')
  expect(
    ["'1.10'", '1.10', '"true"', 'true', "'it''s'", '"a: b"', "'a #b'", '""', '"\\u00e9\\n"', '"web-1"'].map(value),
  ).toEqual(['"1.10"', '1.10', '"true"', 'true', '"it\'s"', '"a: b"', '"a #b"', '""', '"é\\n"', 'web-1'])
  const block =
    'apiVersion: hyperward/v1\nkind: Policy\nprovider:\n  profiles:\n    p:\n      description: |\n        one\n\n        two # no comment\n'
  expect(format(block)).toBe(block)
})

test('a text that is no policy document is refused, not written otherwise', () => {
  expect(codes('kind: [')).toEqual(['document.not-yaml'])
  expect(codes('')).toEqual(['document.empty'])
  expect(codes('kind: Policy\n---\nkind: Policy\n')).toEqual(['document.several'])
  expect(codes('kind: Inventory\n')).toEqual(['document.wrong-kind'])
  expect(codes('kind: Policy\nprovider: &a {}\ntenants: *a\n')).toEqual(['document.alias'])
  expect(codes('['.repeat(100))).toEqual(['document.too-deep'])
})

test('any text at all is formatted without a change of its meaning, or refused', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '# c',
    '\n\n',
    "'",
    '"',
    'kind',
    'rules',
    '|\n',
    '>',
    '&x ',
    '!t ',
    '?',
    ' ',
    '\t',
    '\r\n',
    'é',
    '1.0',
    '~',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const formatted = formatPolicy(pieces.join(''), 'p')
      if (!formatted.ok) return
      const again = formatPolicy(formatted.value, 'p')
      expect([formatted.value, again.ok && again.value]).toEqual([formatted.value, formatted.value])
    }),
    { seed: 20_260_703, numRuns: 2000, endOnFailure: true },
  )
})
