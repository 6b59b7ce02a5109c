/** Random policies (as YAML text, so that the parser is in it), inventories and packets over a small world, where things overlap. For tests only. */
import {
  type Address,
  type Inventory,
  type Packet,
  parseAddress,
  parseHostName,
  parseMac,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  type Vm,
} from '@hyperward/model'
import * as fc from 'fast-check'

const tenants = ['acme', 'globex', 'initech'] as const
const labelGroups = ['web', 'db', 'blue', 'mixed'] as const
const netGroups = ['near', 'far'] as const
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
const services = [
  '{tcp: [80]}',
  '{tcp: [80, 443]}',
  '{tcp: [0-1023]}',
  '{tcp: any}',
  '{udp: [53], tcp: [53]}',
  '{icmp: [echo-request], icmpv6: [echo-request]}',
  '{icmpv6: any}',
  '{protocol: [47, 6]}',
  '{sctp: [80]}',
] as const
const outside = ['192.0.2.7', '198.51.100.1', '10.0.0.5', '10.9.9.9', '2001:db8::1', 'fd00::5', 'fe80::1'] as const

export interface World {
  readonly text: string
  readonly inventory: Inventory
}

const labels = fc.record(
  { tier: fc.constantFrom('web', 'db', 'app'), color: fc.constantFrom('blue', 'red') },
  { requiredKeys: [] },
)

const networkList = fc.uniqueArray(fc.constantFrom(...networks), { minLength: 1, maxLength: 3 })

const vm = (index: number): fc.Arbitrary<Vm> =>
  fc
    .record({
      tenant: fc.option(fc.constantFrom(...tenants), { freq: 8 }),
      labels,
      host: fc.constantFrom('h1', 'h2'),
      clash: fc.integer({ min: 0, max: 20 }),
    })
    .map(({ tenant, labels: some, host, clash }) => {
      const hex = index.toString(16).padStart(2, '0')
      const uuid = must(parseVmUuid(`00000000-0000-4000-8000-0000000000${hex}`))
      const mac = must(parseMac(`52:54:00:00:00:${hex}`))
      // now and then one address is the next VM's too
      const number = clash === 0 ? index + 1 : index
      const addresses = [`10.0.0.${number}`, `fd00::${number.toString(16)}`].map((text) => must(parseAddress(text)))
      const labelEntries = Object.entries(some).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, value] as const],
      )
      return {
        uuid,
        name: `vm-${index}`,
        host: must(parseHostName(host)),
        tenant: tenant === null ? null : must(parseTenantName(tenant)),
        labels: Object.fromEntries(labelEntries),
        endpoints: [{ id: toEndpointId(uuid, mac), mac, addresses }],
      }
    })

export const arbitraryInventory: fc.Arbitrary<Inventory> = fc
  .integer({ min: 1, max: 9 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => vm(index + 1))))
  .map((vms) => ({ hosts: [{ name: must(parseHostName('h1')) }, { name: must(parseHostName('h2')) }], vms }))

function groupsText(near: readonly string[], far: readonly string[], indent: string): string {
  return [
    'groups:',
    '  web: {labels: {tier: web}}',
    '  db: {labels: {tier: [db, app]}}',
    '  blue: {labels: {color: blue}}',
    '  mixed: {groups: [near, blue]}',
    `  near: {networks: [${near.map((one) => `"${one}"`).join(', ')}]}`,
    `  far: {networks: [${far.map((one) => `"${one}"`).join(', ')}]}`,
  ]
    .map((line) => `${indent}${line}\n`)
    .join('')
}

function rule(names: readonly string[]): fc.Arbitrary<string> {
  const side = fc.oneof(
    { weight: 2, arbitrary: fc.constant('any') },
    { weight: 5, arbitrary: fc.constantFrom(...names) },
    {
      weight: 2,
      arbitrary: fc
        .uniqueArray(fc.constantFrom(...names), { minLength: 2, maxLength: 3 })
        .map((list) => `[${list.join(', ')}]`),
    },
  )
  return fc
    .record({
      from: side,
      to: side,
      service: fc.option(fc.constantFrom(...services)),
      direction: fc.constantFrom('both', 'ingress', 'egress'),
      action: fc.constantFrom('allow', 'allow', 'drop', 'reject'),
    })
    .map(({ from, to, service, direction, action }) => {
      const serviceText = service === null ? '' : `, service: ${service}`
      return `from: ${from}, to: ${to}${serviceText}, direction: ${direction}, action: ${action}`
    })
}

function rules(names: readonly string[], maxLength: number): fc.Arbitrary<readonly string[]> {
  return fc.array(rule(names), { maxLength })
}

/** Flow-style rules of one policy under `indent`. */
export function policyText(key: string, name: string, list: readonly string[], indent: string): string {
  const lines = list.map((text, index) => `${indent}    - {name: r${index}, ${text}}\n`).join('')
  return `${indent}${key}:\n${indent}  - policy: ${name}\n${indent}    rules:${list.length === 0 ? ' []' : ''}\n${lines.replaceAll(/^/gm, '  ').replace(/ {2}$/, '')}`
}

const own = [...labelGroups, ...netGroups]
const providerNames = [...own, ...tenants.flatMap((tenant) => own.map((name) => `${tenant}/${name}`))]
const tenantNames = [...own, ...own.map((name) => `provider/${name}`)]

export interface PolicyParts {
  readonly platform: readonly string[]
  readonly baseline: readonly string[]
  readonly tenants: readonly {
    readonly near: readonly string[]
    readonly far: readonly string[]
    readonly rules: readonly string[]
  }[]
  readonly near: readonly string[]
  readonly far: readonly string[]
}

export const arbitraryParts: fc.Arbitrary<PolicyParts> = fc.record({
  platform: rules(providerNames, 3),
  baseline: rules(providerNames, 3),
  near: networkList,
  far: networkList,
  tenants: fc.tuple(
    ...tenants.map(() => fc.record({ near: networkList, far: networkList, rules: rules(tenantNames, 6) })),
  ),
})

export const arbitraryTenantRule = rule(tenantNames)

export function toPolicyText(parts: PolicyParts): string {
  const head = 'apiVersion: hyperward/v1\nkind: Policy\nprovider:\n'
  const provider = `${groupsText(parts.near, parts.far, '  ')}${policyText('platform', 'p', parts.platform, '  ')}${policyText('baseline', 'b', parts.baseline, '  ')}`
  const owned = parts.tenants.map(
    (tenant, index) =>
      `  ${tenants[index] ?? ''}:\n${groupsText(tenant.near, tenant.far, '    ')}${policyText('policies', 't', tenant.rules, '    ')}`,
  )
  return `${head}${provider}tenants:\n${owned.join('')}`
}

export const arbitraryWorld: fc.Arbitrary<World> = fc
  .record({ parts: arbitraryParts, inventory: arbitraryInventory })
  .map(({ parts, inventory }) => ({ text: toPolicyText(parts), inventory }))

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.integer({ min: 1, max: 10 }).map((number) => must(parseAddress(`10.0.0.${number}`))),
  fc.integer({ min: 1, max: 10 }).map((number) => must(parseAddress(`fd00::${number.toString(16)}`))),
  fc.integer({ min: 1, max: 10 }).map((number) => must(parseAddress(`fe80::5054:ff:fe00:${number.toString(16)}`))),
  fc.constantFrom(...outside).map((text) => must(parseAddress(text))),
)

const protocolAndPort = fc.constantFrom(
  ...[6, 17, 132].flatMap((protocol) =>
    [0, 53, 79, 80, 81, 443, 1023, 1024, 65_535].map((port) => ({ protocol, port })),
  ),
  ...[0, 8, 128, 255].flatMap((port) => [
    { protocol: 1, port },
    { protocol: 58, port },
  ]),
  { protocol: 47 },
  { protocol: 50 },
)

export const arbitraryPacket: fc.Arbitrary<Packet> = fc
  .record({ source: address, destination: address, rest: protocolAndPort })
  .map(({ source, destination, rest }) => ({ source, destination, ...rest }))

function must<T>(value: T | null): T {
  if (value === null) throw new Error('the test world is malformed')
  return value
}
