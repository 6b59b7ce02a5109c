import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { decodeDomain, type DecodedDomain } from './decode.ts'

const uuid = '11111111-2222-4333-8444-555555555601'
const namespace = 'https://hyperward.org/xmlns/vm/1'
const block = (inside: string, attributes = 'tenant="acme"'): string =>
  `<metadata><hw:vm xmlns:hw="${namespace}" ${attributes}>${inside}</hw:vm></metadata>`
const nic = (mac: string, rest = ''): string => `<interface type='bridge'><mac address='${mac}'/>${rest}</interface>`
const domain = (metadata: string, devices = nic('52:54:00:00:00:01')): string =>
  `<domain type='kvm' id='3'><name>web &amp; 1</name><uuid>${uuid}</uuid>${metadata}<devices>${devices}</devices></domain>`

function decoded(xml: string): DecodedDomain {
  const result = decodeDomain(xml)
  if (typeof result === 'string') throw new Error(result)
  return result
}

test('tenant, labels, interfaces and their declared addresses', () => {
  const metadata = block(`
    <hw:label key="app" value="shop"/><hw:label key="层" value="前端 &lt;1&gt;"/>
    <hw:interface mac="52:54:00:00:00:01"><hw:address>10.20.0.11</hw:address><hw:address>FD00:20:0::11</hw:address></hw:interface>`)
  const first = nic(
    '52:54:00:00:00:01',
    "<source network='n' bridge='br0'/><target dev='vnet7'/><model type='virtio'/>",
  )
  const second =
    "<interface type='direct'><mac address='52:54:00:00:00:02'/><source dev='eth0' mode='bridge'/></interface>"
  expect(decoded(domain(metadata, first + second))).toEqual({
    uuid,
    name: 'web & 1',
    tenant: 'acme',
    labels: { app: 'shop', 层: '前端 <1>' },
    os: null,
    interfaces: [
      {
        mac: '52:54:00:00:00:01',
        device: 'vnet7',
        type: 'bridge',
        source: 'br0',
        segment: 'n',
        model: 'virtio',
        addresses: ['10.20.0.11', 'fd00:20::11'],
      },
      {
        mac: '52:54:00:00:00:02',
        device: null,
        type: 'direct',
        source: 'eth0',
        segment: null,
        model: null,
        addresses: [],
      },
    ],
    problems: [],
  })
})

test('a VM without our block has no tenant, and nothing is wrong with it', () => {
  for (const metadata of ['', '<metadata/>', '<metadata><x:a xmlns:x="urn:other" tenant="acme"/></metadata>']) {
    expect(decoded(domain(metadata))).toMatchObject({
      tenant: null,
      labels: {},
      problems: [],
      interfaces: [{ addresses: [] }],
    })
  }
})

const segments: readonly (readonly [string, string | null])[] = [
  ["<source network='prod' bridge='virbr1'/>", 'prod'],
  ["<source network='prod' portgroup='web' bridge='virbr1'/>", 'prod/web'],
  ["<source bridge='br0'/>", 'br0'],
  ['', null],
]
test.each(segments)('the segment of an interface with %s is %s', (source, segment) => {
  expect(decoded(domain('', nic('52:54:00:00:00:01', source))).interfaces[0]?.segment).toBe(segment)
})

const osBlock = (id: string, uri = 'http://libosinfo.org/xmlns/libvirt/domain/1.0'): string =>
  `<metadata><l:libosinfo xmlns:l="${uri}"><l:os id="${id}"/></l:libosinfo></metadata>`
const systems: readonly (readonly [string, string, string | null])[] = [
  ['http://debian.org/debian/12', osBlock('http://debian.org/debian/12'), 'debian 12'],
  ['http://ubuntu.com/ubuntu/22.04', osBlock('http://ubuntu.com/ubuntu/22.04'), 'ubuntu 22.04'],
  ['http://microsoft.com/win/2k22', osBlock('http://microsoft.com/win/2k22'), 'win 2k22'],
  ['another namespace', osBlock('http://debian.org/debian/12', 'urn:x'), null],
  ['no URL', osBlock('debian 12'), null],
  ['no path', osBlock('http://debian.org/'), null],
  ['control characters', osBlock('http://debian.org/a&#10;b'), null],
  ['a path beyond all measure', osBlock(`http://debian.org/${'a'.repeat(256)}`), null],
]
test.each(systems)('the operating system of %s', (_, metadata, os) => {
  const result = decoded(domain(metadata))
  expect([result.os, result.problems]).toEqual([os, []])
})

test('the prefix does not matter, the namespace does', () => {
  const other = `<metadata><vm xmlns="${namespace}" tenant="acme"><label key="a" value="b"/></vm></metadata>`
  expect(decoded(domain(other))).toMatchObject({ tenant: 'acme', labels: { a: 'b' } })
  expect(decoded(domain('<metadata><hw:vm xmlns:hw="urn:x" tenant="acme"/></metadata>')).tenant).toBeNull()
})

const good =
  '<hw:label key="a" value="b"/><hw:interface mac="52:54:00:00:00:01"><hw:address>10.0.0.1</hw:address></hw:interface>'
const bad: readonly (readonly [string, string])[] = [
  ['no tenant', block(good, '')],
  ['a tenant that is no name', block(good, 'tenant="a b"')],
  ['an unknown attribute', block(good, 'tenant="acme" admin="yes"')],
  ['an unknown element', block(`${good}<hw:allow/>`)],
  ['a foreign element', block(`${good}<label xmlns="urn:x" key="c" value="d"/>`)],
  ['a label twice', block(`${good}<hw:label key="a" value="c"/>`)],
  ['a label without value', block(`${good}<hw:label key="c"/>`)],
  ['a malformed label key', block(`${good}<hw:label key="-" value="c"/>`)],
  [
    'a malformed address',
    block(`${good}<hw:interface mac="52:54:00:00:00:02"><hw:address>10.0.0.0/8</hw:address></hw:interface>`),
  ],
  [
    'an address twice',
    block(
      `<hw:interface mac="52:54:00:00:00:01"><hw:address>::1</hw:address><hw:address>0::1</hw:address></hw:interface>`,
    ),
  ],
  ['an interface twice', block(`${good}<hw:interface mac="52-54-00-00-00-01"/>`)],
  ['a multicast MAC', block(`${good}<hw:interface mac="01:00:5e:00:00:01"/>`)],
  ['two blocks', block(good).replace('</metadata>', `<hw:vm xmlns:hw="${namespace}" tenant="x"/></metadata>`)],
  ['65 labels', block(Array.from({ length: 65 }, (_, n) => `<hw:label key="k${n}" value=""/>`).join(''))],
]
test.each(bad)('%s: the whole block counts as unreadable and nothing is widened', (_, metadata) => {
  const result = decoded(domain(metadata))
  expect(result).toMatchObject({ tenant: null, labels: {}, interfaces: [{ addresses: [] }] })
  expect(result.problems).toMatchObject([{ code: 'libvirt.metadata-malformed' }])
})

test('one bad interface is one problem and leaves the others', () => {
  const result = decoded(domain('', nic('ff:ff:ff:ff:ff:ff') + nic('52:54:00:00:00:02')))
  expect(result.interfaces.map((one) => one.mac)).toEqual(['52:54:00:00:00:02'])
  expect(result.problems).toMatchObject([{ code: 'libvirt.domain-malformed' }])
})

test('hostile XML is refused, not followed', () => {
  const bomb = `<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>${domain('')}`
  expect(decodeDomain(bomb)).toMatch(/document type/)
  expect(decodeDomain(`<!DOCTYPE d SYSTEM "file:///etc/passwd">${domain('')}`)).toMatch(/document type/)
  expect(typeof decodeDomain(domain('<a>'.repeat(5000) + '</a>'.repeat(5000)))).toBe('string')
  expect(typeof decodeDomain(domain('<metadata><hw:vm tenant="acme"/></metadata>'))).toBe('string')
  expect(typeof decodeDomain(domain('') + domain(''))).toBe('string')
  const label = decoded(domain(block('<hw:label key="constructor" value="x"/>')))
  expect(label.labels).toEqual({ constructor: 'x' })
  for (const tag of ['__proto__', 'constructor', 'prototype']) {
    const result = decodeDomain(domain(`<metadata><${tag} tenant="acme"><polluted/></${tag}></metadata>`))
    if (typeof result !== 'string') expect(result.tenant).toBeNull()
    expect('polluted' in {}).toBe(false)
  }
})

test('damaged XML never throws and never makes a tenant or an address that was not written', () => {
  const whole = domain(block(good))
  const cut = fc.nat({ max: whole.length })
  const snippet = fc.constantFrom(
    '<',
    '>',
    '&',
    '"',
    "'",
    '/>',
    '<!--',
    ']]>',
    '<![CDATA[',
    '\0',
    '<hw:vm',
    'xmlns:hw=""',
    '&#0;',
    '\u{1F600}',
  )
  fc.assert(
    fc.property(cut, cut, snippet, (from, to, inserted) => {
      const [a, b] = from < to ? [from, to] : [to, from]
      const result = decodeDomain(whole.slice(0, a) + inserted + whole.slice(b))
      if (typeof result === 'string') return
      expect([null, 'acme']).toContain(result.tenant)
      for (const one of result.interfaces) for (const address of one.addresses) expect(whole).toContain(address)
    }),
    { numRuns: 3000 },
  )
})
