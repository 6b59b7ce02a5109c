// Files that are not what they should be: always a diagnostic, never a crash, a hang or much memory. Seeds are committed.
import { parsePolicy } from '@hyperward/policy'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { importFiles } from './import-files.ts'
import { type ImportKind, importKinds } from './import-options.ts'
import { importErrors, importTexts } from './testing/import-policy.ts'

const names: Readonly<Record<ImportKind, string>> = {
  proxmox: '100.fw',
  nwfilter: 'web.xml',
  openstack: 'groups.json',
  iptables: 'rules.v4',
}

test.each(importKinds)('%s: what is no text of its kind is refused with one word', (kind) => {
  const errors = (content: string | Uint8Array): readonly string[] => importErrors(kind, { [names[kind]]: content })
  expect(errors(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 1, 2))).toEqual(['import.binary'])
  expect(errors(new TextEncoder().encode('\u0000'.repeat(100)))).toEqual(['import.binary'])
  // Latin-1
  expect(errors(Uint8Array.of(0x23, 0x20, 0xfc, 0x0a))).toEqual(['import.encoding'])
  expect(errors('')).toEqual(['import.wrong-kind'])
  expect(errors('hello')).toEqual(['import.wrong-kind'])
  expect(errors('apiVersion: hyperward/v1\nkind: Policy\n')).toEqual(['import.wrong-kind'])
  expect(errors(new Uint8Array(17 * 1024 * 1024))).toEqual(['import.too-large'])
  const begun = importFiles(kind, [{ name: names[kind], content: 'x', sizeBytes: 100_000_000 }])
  expect(begun.ok ? [] : begun.diagnostics.map(({ params }) => params)).toEqual([
    { size: 100_000_000, limit: 16 * 1024 * 1024 },
  ])
  expect(importFiles(kind, []).ok).toBe(false)
})

const valid: Readonly<Record<ImportKind, string>> = {
  proxmox:
    '[OPTIONS]\nenable: 1\n[ALIASES]\nme 10.0.0.1\n[IPSET all]\n10.0.0.0/8\n!10.1.0.0/16\n[RULES]\nIN SSH(ACCEPT) -source +all # über\nOUT DROP -p udp -dport 53,100:200 -dest me\n',
  nwfilter:
    "<filter name='ü' chain='root'><filterref filter='clean-traffic'/><rule action='accept' direction='in' priority='5'><tcp srcipaddr='10.0.0.0' srcipmask='8' dstportstart='80'/></rule></filter>",
  openstack:
    '{"security_groups": [{"id": "1", "name": "ü", "security_group_rules": [{"id": "2", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 1, "port_range_max": 2, "remote_group_id": "1"}]}]}',
  iptables:
    '*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n-A INPUT -m state --state ESTABLISHED -j ACCEPT\n-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -m comment --comment "ü" -j a\n-A a -j ACCEPT\nCOMMIT\n',
}

test.each(importKinds)('%s: UTF-16 and a byte order mark are read as what they are', (kind) => {
  const text = valid[kind]
  const wide = new Uint8Array(2 + text.length * 2)
  new DataView(wide.buffer).setUint16(0, 0xfeff, true)
  for (let at = 0; at < text.length; at += 1) new DataView(wide.buffer).setUint16(2 + at * 2, text.charCodeAt(at), true)
  const outcomes = [
    text,
    `\uFEFF${text}`,
    wide,
    new TextEncoder().encode(`\uFEFF${text}`),
    text.replaceAll('\n', '\r\n'),
  ].map((content) => importFiles(kind, [{ name: names[kind], content }]))
  const [first] = outcomes
  expect(first?.ok).toBe(true)
  for (const outcome of outcomes) expect(outcome).toEqual(first)
})

test('nesting without end and entities that swell are refused before anything reads them', () => {
  const deep = (open: string, close: string): string => open.repeat(500_000) + close.repeat(500_000)
  expect(importErrors('openstack', { a: deep('[', ']') })).toEqual(['import.too-deep'])
  expect(importErrors('openstack', { a: deep('{"a":', '}') })).toEqual(['import.too-deep'])
  expect(importErrors('nwfilter', { a: deep('<a>', '</a>') })).toEqual(['import.too-deep'])
  expect(importErrors('nwfilter', { a: `<a${' b="<"'.repeat(100)}>`.repeat(1000) })).toHaveLength(1)
  const bomb = '<!DOCTYPE f [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><filter name="&b;"/>'
  expect(importErrors('nwfilter', { a: bomb })).toEqual(['import.doctype'])
})

test('long lines, many lines and huge numbers take no time', () => {
  const before = performance.now()
  for (const text of [
    `*filter\n:INPUT DROP [0:0]\n-A INPUT ${'-s 10.0.0.0/8 '.repeat(20_000)}-j DROP\nCOMMIT\n`,
    `*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m multiport --dports ${Array.from({ length: 20_000 }, (_unused, port) => port * 3).join(',')} -j DROP\nCOMMIT\n`,
    `*filter\n:INPUT DROP [${'9'.repeat(1_000_000)}:0]\nCOMMIT\n`,
    `*filter\n${'"'.repeat(1_000_000)}\n`,
    `*filter\n:INPUT ACCEPT [0:0]\n${'-A INPUT -s 10.0.0.1 -j DROP\n'.repeat(60_000)}COMMIT\n`,
  ]) {
    importFiles('iptables', [{ name: 'a', content: text }])
  }
  const rule = "<rule action='drop' direction='inout' priority='1'><all srcipaddr='10.0.0.1'/></rule>"
  importFiles('nwfilter', [{ name: 'a', content: `<filter name='a'>${rule.repeat(20_000)}</filter>` }])
  importFiles('nwfilter', [{ name: 'a', content: '<'.repeat(1_000_000) }])
  importFiles('proxmox', [
    { name: '1.fw', content: `[RULES]\nIN ACCEPT -source ${'10.0.0.1,'.repeat(100_000)}10.0.0.1\n` },
  ])
  importFiles('openstack', [{ name: 'a', content: `[${'{"id":"a","name":"b","rules":[]},'.repeat(50_000)}1]` }])
  expect(performance.now() - before).toBeLessThan(10_000)
})

/** Whatever comes out is a document that the parser takes. */
function expectNoCrash(
  kind: ImportKind,
  files: readonly { readonly name: string; readonly content: string | Uint8Array }[],
): void {
  const imported = importFiles(kind, files, { view: 'guest' })
  if (!imported.ok) {
    expect(imported.diagnostics.some(({ severity }) => severity === 'error')).toBe(true)
    return
  }
  const parsed = parsePolicy(imported.value.text, 'imported.yaml')
  expect([parsed.ok ? [] : parsed.diagnostics, imported.value.text]).toEqual([[], imported.value.text])
}

for (const kind of importKinds) {
  test(`${kind}: no bytes and no text make it throw`, () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 })),
        (content) => expectNoCrash(kind, [{ name: names[kind], content }]),
      ),
      { seed: 20_261_123, numRuns: 400 },
    )
  })

  test(`${kind}: nor does a file of its kind with parts changed, lost, doubled or swapped`, () => {
    const pieces = valid[kind].split(/(?<=[\s'"{}[\],<>/:])/)
    const change = fc.record({
      at: fc.nat(pieces.length - 1),
      how: fc.constantFrom('drop', 'double', 'swap', 'text'),
      other: fc.nat(pieces.length - 1),
      text: fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('!', '-1', '99999999999', '::/0', '10.0.0.1/33', '__proto__', 'any', '$IP', '+all', '\uD800', "'", '"')), // prettier-ignore
    })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const list = [...pieces]
        for (const { at, how, other, text } of changes) {
          const [here, there] = [list[at] ?? '', list[other] ?? '']
          if (how === 'swap') list[other] = here
          list[at] = { drop: '', double: here + here, swap: there, text }[how] ?? ''
        }
        expectNoCrash(kind, [{ name: names[kind], content: list.join('') }])
      }),
      { seed: 20_261_124, numRuns: 1000 },
    )
  })
}

test('as many rules and members as fit in a file end in a result or a diagnostic, never in a full stack', () => {
  const head = '# Generated by iptables-save\n*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n'
  const rules = Array.from({ length: 150_000 }, (_, at) => `-A INPUT -p tcp --dport ${at % 60_000} -j ACCEPT`)
  expect(importErrors('iptables', { a: `${head}${rules.join('\n')}\nCOMMIT\n` })).toEqual(['import.too-many'])
  const members = Array.from({ length: 150_000 }, (_, at) => `add s 10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`)
  const sets = `create s hash:ip family inet\n${members.join('\n')}\n`
  const { text } = importTexts('iptables', {
    a: `${head}-A INPUT -m set --match-set s src -j ACCEPT\nCOMMIT\n`,
    sets,
  })
  expect(text.match(/- 10\./g)).toHaveLength(150_000)
})
