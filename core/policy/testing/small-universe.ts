/** A world so small that every packet in it can be tried: random policies of the whole language as objects, inventories, and the list of packets. For tests only. */
import {
  type Action,
  type Address,
  type Guarantee,
  type Group,
  type GroupName,
  type Inventory,
  isPrefix,
  type Packet,
  parseAddress,
  parseHostName,
  parseMac,
  parsePrefix,
  parseTenantName,
  parseVmUuid,
  type Policy,
  type Prefix,
  type Rule,
  type RuleSide,
  type Service,
  toEndpointId,
  toGroupName,
  toRuleRef,
  type Vm,
} from '@hyperward/model'
import * as fc from 'fast-check'

const tenants = ['acme', 'globex'].map((name) => must(parseTenantName(name)))
const place = { file: 'small.yaml', line: 1, column: 1 }

const prefixes = [
  '10.0.0.0/29',
  '10.0.0.4/31',
  '10.0.0.2/32',
  '192.0.2.0/24',
  '0.0.0.0/0',
  '::/0',
  'fd00::/124',
  'fe80::/10',
]
const outside = ['10.0.0.4', '10.0.0.5', '10.0.0.6', '192.0.2.7', '198.51.100.1', 'fd00::5', 'fe80::1', '2001:db8::1']

const groupNames: readonly GroupName[] = ['web', 'db', 'near', 'far', 'mixed', 'named'].map((name) =>
  toGroupName(null, name),
)

const arbitraryPrefixes: fc.Arbitrary<readonly Prefix[]> = fc.uniqueArray(
  fc.constantFrom(...prefixes).map((text) => {
    const prefix = parsePrefix(text)
    return isPrefix(prefix) ? prefix : must<Prefix>(null)
  }),
  { minLength: 1, maxLength: 3 },
)

const arbitraryGroups: fc.Arbitrary<readonly Group[]> = fc
  .record({
    near: arbitraryPrefixes,
    far: arbitraryPrefixes,
    except: fc.oneof(fc.constant([]), arbitraryPrefixes),
    tenants: fc.constantFrom(null, tenants.slice(0, 1)),
    negated: fc.boolean(),
    mixed: fc.uniqueArray(fc.constantFrom(...groupNames.slice(0, 4)), { minLength: 1, maxLength: 2 }),
    without: fc.uniqueArray(fc.constantFrom(...groupNames.slice(0, 4)), { maxLength: 1 }),
    pattern: fc.constantFrom('vm-?', 'vm-1', '*'),
  })
  .map(({ near, far, except, tenants: whose, negated, mixed, without, pattern }) => {
    const selectors: readonly Group['selector'][] = [
      { kind: 'endpoints', tenants: whose, criteria: [{ kind: 'label', key: 'tier', values: ['web'], negated }] },
      {
        kind: 'endpoints',
        tenants: null,
        criteria: [{ kind: 'label', key: 'tier', values: ['db', 'app'], negated: false }],
      },
      { kind: 'networks', networks: near, except: [] },
      { kind: 'networks', networks: far, except },
      { kind: 'groups', groups: mixed, except: without },
      { kind: 'endpoints', tenants: null, criteria: [{ kind: 'name', patterns: [pattern], negated: false }] },
    ]
    return groupNames.flatMap((name, at) => {
      const selector = selectors[at]
      return selector === undefined ? [] : [{ name, tenant: null, selector }]
    })
  })

const arbitraryNames = fc.uniqueArray(fc.constantFrom(...groupNames), { minLength: 1, maxLength: 2 })
const arbitraryExcept = fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: arbitraryNames })
export const arbitrarySmallSide: fc.Arbitrary<RuleSide> = fc.oneof(
  { weight: 2, arbitrary: arbitraryExcept.map((except) => ({ kind: 'any' as const, except })) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(arbitraryNames, arbitraryExcept)
      .map(([groups, except]) => ({ kind: 'groups' as const, groups, except })),
  },
)

const services: readonly Service[] = [
  { kind: 'any' },
  { kind: 'some', entries: [{ protocol: 6, ranges: [{ from: 80, to: 80 }] }] },
  { kind: 'some', entries: [{ protocol: 6, ranges: [{ from: 0, to: 1023 }] }] },
  {
    kind: 'some',
    entries: [
      { protocol: 6, ranges: [{ from: 80, to: 90 }] },
      { protocol: 17, ranges: [{ from: 53, to: 53 }] },
    ],
  },
  { kind: 'some', entries: [{ protocol: 47, ranges: [] }] },
  { kind: 'some', entries: [{ protocol: 17, ranges: [] }] },
]
const arbitraryService = fc.constantFrom(...services)
/** One packet for each piece that the services above cut. */
const probes = [
  { protocol: 6, port: 79 },
  { protocol: 6, port: 80 },
  { protocol: 6, port: 90 },
  { protocol: 6, port: 1024 },
  { protocol: 17, port: 53 },
  { protocol: 17, port: 54 },
  { protocol: 47 },
  { protocol: 50 },
] as const

const actions: readonly (Action | 'pass')[] = [
  'allow',
  'allow',
  'allow',
  'drop',
  'reject',
  'pass',
  'allow-stateless',
  'inspect',
]

export const arbitrarySmallRule: fc.Arbitrary<(name: string) => Rule> = fc
  .record({
    tier: fc.constantFrom('emergency', 'platform', 'tenant', 'tenant', 'tenant', 'baseline'),
    tenant: fc.constantFrom(...tenants),
    source: arbitrarySmallSide,
    destination: arbitrarySmallSide,
    service: arbitraryService,
    directions: fc.constantFrom(
      ['egress', 'ingress'] as const,
      ['egress', 'ingress'] as const,
      ['egress'] as const,
      ['ingress'] as const,
    ),
    appliedTo: fc.option(arbitrarySmallSide, { freq: 5 }),
    action: fc.constantFrom(...actions),
    profile: fc.constantFrom('deep', 'fast'),
    monitor: fc.integer({ min: 0, max: 7 }).map((number) => number === 0),
  })
  .map(({ tier, tenant: anyTenant, appliedTo, profile, ...rest }) => (name) => {
    const tenant = tier === 'tenant' ? anyTenant : null
    return {
      ...rest,
      ref: toRuleRef(tier, tenant, 'p', name),
      tier,
      tenant,
      policy: 'p',
      name,
      log: false,
      ...(appliedTo === null ? {} : { appliedTo }),
      ...(rest.action === 'inspect' ? { profile: toGroupName(null, profile) } : {}),
    } satisfies Rule
  })

const arbitraryGuarantee: fc.Arbitrary<(name: string) => Guarantee> = fc
  .record({
    kind: fc.constantFrom('never', 'always', 'only-through'),
    source: arbitrarySmallSide,
    destination: arbitrarySmallSide,
    service: fc.oneof(
      arbitraryService,
      fc.constant<Service>({ kind: 'some', entries: [{ protocol: 6, ranges: [{ from: 79, to: 80 }] }] }),
    ),
    profile: fc.option(fc.constant(toGroupName(null, 'deep'))),
  })
  .map(({ profile, ...rest }) => (name) => ({
    ...rest,
    name: toGroupName(null, name),
    tenant: null,
    ...(profile !== null && rest.kind === 'only-through' ? { profile } : {}),
    path: 'provider.guarantees[0]',
    place,
  }))

export const arbitrarySmallPolicy: fc.Arbitrary<Policy> = fc
  .record({
    groups: arbitraryGroups,
    rules: fc.array(arbitrarySmallRule, { minLength: 1, maxLength: 9 }),
    guarantees: fc.array(arbitraryGuarantee, { minLength: 1, maxLength: 3 }),
  })
  .map(({ groups, rules, guarantees }) => ({
    tenants,
    groups,
    rules: rules.map((rule, at) => rule(`r${at}`)),
    guarantees: guarantees.map((guarantee, at) => guarantee(`g${at}`)),
  }))

export const arbitrarySmallGroups = arbitraryGroups

const arbitraryVm = (index: number): fc.Arbitrary<Vm> =>
  fc
    .record({
      tenant: fc.constantFrom(...tenants, tenants[0] ?? null, null),
      tier: fc.constantFrom('web', 'db', 'app', null),
      shared: fc.integer({ min: 0, max: 15 }).map((number) => number === 0),
    })
    .map(({ tenant, tier, shared }) => {
      const uuid = must(parseVmUuid(`00000000-0000-4000-8000-00000000000${index}`))
      const mac = must(parseMac(`52:54:00:00:00:0${index}`))
      const number = shared ? 1 : index
      const addresses = [`10.0.0.${number}`, `fd00::${number}`].map((text) => must(parseAddress(text)))
      return {
        uuid,
        name: `vm-${index}`,
        host: must(parseHostName('h1')),
        tenant,
        labels: tier === null ? {} : { tier },
        endpoints: [{ id: toEndpointId(uuid, mac), mac, addresses }],
      }
    })

export const arbitrarySmallInventory: fc.Arbitrary<Inventory> = fc
  .integer({ min: 1, max: 4 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, at) => arbitraryVm(at + 1))))
  .map((vms) => ({ hosts: [{ name: must(parseHostName('h1')) }], vms }))

export const smallAddresses: readonly Address[] = [
  ...[1, 2, 3, 4].flatMap((number) => [`10.0.0.${number}`, `fd00::${number}`, `fe80::5054:ff:fe00:${number}`]),
  ...outside,
].map((text) => must(parseAddress(text)))

/** Every packet of one family between two of the addresses, but those of a VM to itself. */
export function listSmallPackets({ vms }: Inventory): readonly Packet[] {
  const owners = (address: Address): readonly number[] =>
    vms.flatMap(({ tenant, endpoints }, at) =>
      tenant !== null &&
      endpoints.some(({ mac, addresses }) => addresses.includes(address) || isLinkLocalOf(mac, address))
        ? [at]
        : [],
    )
  return smallAddresses.flatMap((source) =>
    smallAddresses
      .filter((destination) => {
        const [first = -1, ...others] = owners(source)
        const same = others.length === 0 && owners(destination).length === 1 && owners(destination)[0] === first
        return source.includes(':') === destination.includes(':') && source !== destination && !(first >= 0 && same)
      })
      .flatMap((destination) => probes.map((probe) => ({ source, destination, ...probe }))),
  )
}

function isLinkLocalOf(mac: string, address: string): boolean {
  return address === `fe80::5054:ff:fe00:${Number(mac.slice(-2))}`
}

function must<T>(value: T | null): T {
  if (value === null) throw new Error('the small universe is malformed')
  return value
}
