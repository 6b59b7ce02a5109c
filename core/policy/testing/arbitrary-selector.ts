/** Random selectors and services, as YAML in flow style. For tests only. */
import * as fc from 'fast-check'

const networks = [
  '10.0.0.0/8',
  '10.0.0.0/29',
  '10.0.0.4/31',
  '0.0.0.0/0',
  '::/0',
  'fd00::/16',
  'fd00::4/126',
  'fe80::/10',
  '192.0.2.0/24',
] as const

/** One of them quoted, as a side of a rule may name it. */
export const prefixText = fc.constantFrom(...networks).map((one) => `"${one}"`)

/** `[...]` of one to three prefixes. */
export const networkListText = fc
  .uniqueArray(fc.constantFrom(...networks), { minLength: 1, maxLength: 3 })
  .map((list) => `[${list.map((one) => `"${one}"`).join(', ')}]`)

/** `, except: [...]`, or nothing. */
export const exceptText = fc.option(networkListText).map((list) => (list === null ? '' : `, except: ${list}`))

const labelsText = fc.constantFrom(
  '{tier: web}',
  '{tier: [web, db]}',
  '{color: red}',
  '{tier: app, color: [blue, red]}',
)
const expressionText = fc.constantFrom(
  '{label: tier, in: [web]}',
  '{label: tier, notin: [web, app]}',
  '{label: color, notin: [red]}',
  '{label: color, exists: true}',
  '{label: tier, exists: false}',
  '{label: nobody-has-it, exists: false}',
)
const namesText = fc.constantFrom('["vm-*"]', '[vm-1, vm-2]', '["vm-?", "*-3"]', '["*5"]', '["VM-*"]')
const osText = fc.constantFrom('["debian*"]', '["windows ????"]', '["debian 12", "windows*"]', '["*"]')
const hostsText = fc.constantFrom('[h1]', '["h?"]', '[h2, h9]')
const segmentsText = fc.constantFrom('[lan]', '["l*", dmz]', '["*"]')

const criteria = {
  labels: labelsText,
  expressions: fc
    .uniqueArray(expressionText, { minLength: 1, maxLength: 2 })
    .map((expressions) => `[${expressions.join(', ')}]`),
  names: namesText,
  os: osText,
  hosts: hostsText,
  segments: segmentsText,
}

function recordText(fields: Readonly<Record<string, string | null | undefined>>): string {
  return Object.entries(fields)
    .flatMap(([key, value]) => (value === null || value === undefined ? [] : [`${key}: ${value}`]))
    .join(', ')
}

const optionalCriteria = fc.record(
  Object.fromEntries(Object.entries(criteria).map(([key, text]) => [key, fc.option(text, { freq: 2 })])),
)
const negated = optionalCriteria.map(recordText).filter((text) => text !== '')

/** Fields of a selector of endpoints, at least one, without the braces. */
export function selectorText(seesTenants: boolean): fc.Arbitrary<string> {
  const tenants = seesTenants ? fc.option(fc.constantFrom('[acme]', '[acme, globex]')) : fc.constant(null)
  // each one by itself too, so that what a criterion selects is not always hidden behind another
  const one = fc.oneof(...Object.entries(criteria).map(([key, text]) => text.map((value) => `${key}: ${value}`)))
  const several = fc
    .record({ some: optionalCriteria, tenants, not: fc.option(negated) })
    .map(({ some, tenants: of, not }) => recordText({ ...some, tenants: of, not: not === null ? null : `{${not}}` }))
    .filter((text) => text !== '')
  return fc.oneof(one, several)
}

export const serviceText = fc.constantFrom(
  '{tcp: [80]}',
  '{tcp: [80, 443]}',
  '{tcp: [0-1023]}',
  '{tcp: any}',
  '{udp: [53], tcp: [53]}',
  '{icmp: [echo-request], icmpv6: [echo-request]}',
  '{icmpv6: any}',
  '{protocol: [47, 6]}',
  '{sctp: [80]}',
)

/** The services that every owner has. */
export const servicesText = [
  'webs: {tcp: [80, 443]}',
  'dns: {udp: [53], tcp: [53]}',
  'pings: {icmp: [echo-request], icmpv6: [echo-request]}',
  'many: {services: [webs, dns], sctp: [1000-2000]}',
] as const
