/** Pins the sentences of docs/policy-language.md about documents, names, groups and services. */
import { expect, test } from 'vitest'

import { parsePolicyFiles } from '../parse/parse-policy.ts'
import { validateAgainst } from '../parse/validate-against.ts'
import { meaning, type PacketRow, refusal, toInventory, toPolicy } from '../testing/language-world.ts'

/** One group of acme, let out to anywhere; what is not in it is dropped. */
function acme(group: string, more = ''): string {
  return `tenants: {acme: {groups: {g: ${group}${more}}, policies: [{policy: p, rules: [{name: r, from: g, to: any, direction: egress, action: allow}]}]}, globex: {default: drop}}`
}

function provider(group: string): string {
  return `provider: {groups: {g: ${group}}, platform: [{policy: p, rules: [{name: r, from: g, to: any, direction: egress, action: allow}]}]}\ntenants: {acme: {}, globex: {}}`
}

/** Who of acme is in the group: each name that gets out, beside each that does not. */
function members(...names: readonly string[]): readonly PacketRow[] {
  return ['web-1', 'web-2', 'db-1', 'app-1', 'alone'].map((name): PacketRow => [
    names.includes(name) ? 'allow' : 'drop',
    'tcp',
    name,
    'outside',
    443,
  ])
}

meaning('[D1] what is not allowed is dropped', 'tenants: {acme: {}}', [
  ['drop', 'tcp', 'web-1', 'db-1', 80],
  ['drop', 'icmp', 'office', 'web-1', 8],
  ['drop', 'gre', 'web-1', 'outside'],
  ['not-enforced', 'tcp', 'office', 'outside', 80],
])
meaning('[D2] a value is the text that stands there', acme('{names: [web-1], labels: {tier: web}}'), members('web-1'))
test('[D2] 1.10, no and 0x1f are read as written', () => {
  const [group] = toPolicy('tenants: {acme: {groups: {g: {labels: {version: 1.10, on: no, hex: 0x1f}}}}}').groups
  expect(group?.selector).toMatchObject({
    criteria: [
      { key: 'hex', values: ['0x1f'] },
      { key: 'on', values: ['no'] },
      { key: 'version', values: ['1.10'] },
    ],
  })
})
refusal('[D3] an alias is refused', 'document.alias', 'tenants: {acme: {groups: {a: &x {labels: {tier: web}}, b: *x}}}')
meaning('[D3] an anchor alone changes nothing', acme('&x {labels: {tier: db}}'), members('db-1'))
refusal(
  '[D4] an unknown field is refused',
  'field.unknown',
  'tenants: {acme: {polices: []}}',
  'tenants: {acme: {groups: {g: {label: {tier: web}}}}}',
  'provider: {policies: []}',
  'tenants: {acme: {emergency: []}}',
)
refusal('[D5] a field written twice is refused', 'field.duplicate', 'tenants: {acme: {default: drop, default: allow}}')

test('[D6] several documents make one policy, in any order', () => {
  const head = 'apiVersion: hyperward/v1\nkind: Policy\n'
  const rule = '{name: r, from: g, to: any, action: allow}'
  const files = [
    { file: 'a.yaml', text: `${head}tenants: {acme: {groups: {g: {names: [web-1]}}}}` },
    { file: 'b.yaml', text: `${head}tenants: {acme: {policies: [{policy: p, rules: [${rule}]}]}}` },
  ]
  const values = [files, files.toReversed()].map((list) => {
    const parsed = parsePolicyFiles(list)
    return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
  })
  expect(values[0]).toEqual(values[1])
  expect(values[0]?.rules.map(({ ref }) => ref)).toEqual(['tenant:acme/p/r'])
})

refusal(
  '[N1] a name of other characters, or of more than 63, is refused',
  'name.malformed',
  'tenants: {acme: {groups: {"a b": {labels: {x: y}}}}}',
  'tenants: {acme: {groups: {"-a": {labels: {x: y}}}}}',
)
refusal('[N1] 64 characters are too many', 'name.too-long', `tenants: {${'a'.repeat(64)}: {}}`)
meaning(
  '[N1] letters of any script make a name, and words of the kernel do',
  acme('{names: [web-1]}', ', 网页: {names: [x]}, drop: {names: [x]}'),
  members('web-1'),
)
refusal(
  '[N2] the words of the language are no names',
  'name.reserved',
  'tenants: {acme: {groups: {any: {labels: {x: y}}}}}',
  'tenants: {provider: {}}',
  'tenants: {common: {}}',
)
const scoped = `
provider: {groups: {g: {names: [web-2], tenants: [acme]}}}
tenants:
  acme:
    groups: {g: {names: [web-1]}}
    policies: [{policy: p, rules: [{name: r, from: FROM, to: any, direction: egress, action: allow}]}]
  globex: {groups: {g: {names: [app-1]}}}`
meaning('[N3] a bare name is the own one of the writer', scoped.replace('FROM', 'g'), members('web-1'))
meaning('[N4] provider/NAME is the one of the provider', scoped.replace('FROM', 'provider/g'), members('web-2'))
const ofTenant = `
provider: {platform: [{policy: p, rules: [{name: r, from: acme/g, to: any, direction: egress, action: allow}]}]}
tenants: {acme: {groups: {g: {names: [web-1]}}}}`
meaning('[N5] TENANT/NAME is, for the provider, the one of the tenant', ofTenant, members('web-1'))
refusal('[N6] a tenant cannot name what is of another', 'group.foreign', scoped.replace('FROM', 'globex/g'))
refusal('[N7] a name that nothing has is refused', 'group.unknown', scoped.replace('FROM', 'h'))

refusal(
  '[G1] a group with two kinds of selector is refused',
  'group.mixed-selector',
  'tenants: {acme: {groups: {g: {labels: {x: y}, networks: [10.0.0.0/8]}}}}',
  'tenants: {acme: {groups: {h: {names: [x]}, g: {groups: [h], names: [x]}}}}',
)
meaning('[G2] a label has one of the values', acme('{labels: {tier: [db, app], color: red}}'), members('db-1'))
meaning('[G2] every label must be there', acme('{labels: {tier: web, color: blue}}'), members('web-1'))
meaning('[G3] an expression: in', acme('{expressions: [{label: color, in: [blue]}]}'), members('web-1'))
meaning('[G3] an expression: exists', acme('{expressions: [{label: color, exists: true}]}'), members('web-1', 'db-1'))
meaning('[G3] an expression: does not exist', acme('{expressions: [{label: color, exists: false}]}'), members('web-2'))
meaning(
  '[G4] notin holds also when the label is absent',
  acme('{expressions: [{label: color, notin: [blue]}]}'),
  members('web-2', 'db-1'),
)
meaning('[G5] * is any run of characters', acme('{names: ["web*"]}'), members('web-1', 'web-2'))
meaning('[G5] * may be empty, ? is one character', acme('{names: ["?e*b-1*"]}'), members('web-1'))
meaning('[G5] the whole text must match', acme('{names: [web, "eb-?", "web-1?", db-1]}'), members('db-1'))
meaning('[G5] case matters', acme('{names: ["WEB-*", "Db-1", "db-?"]}'), members('db-1'))
meaning('[G5] a single text is a list of one', acme('{os: "debian*"}'), members('web-1'))
meaning(
  '[G5] operating system, host, segment',
  acme('{os: ["*"], hosts: [south], segments: ["d?z"]}'),
  members('web-2'),
)
meaning('[G6] what is not known matches no pattern', acme('{os: ["*"]}'), members('web-1', 'web-2'))
meaning('[G6] nor does an unknown segment', acme('{segments: ["*"]}'), members('web-1', 'web-2'))
refusal('[G7] tenants is for the provider', 'field.unknown', 'tenants: {acme: {groups: {g: {tenants: [acme]}}}}')
meaning('[G7] tenants: endpoints of these', provider('{tenants: [globex]}'), members('app-1'))
meaning(
  '[G8] all that is asked must hold',
  acme('{labels: {tier: web}, names: ["*-1", "db*"], hosts: [north]}'),
  members('web-1'),
)
meaning(
  '[G9] none of what stands in not may hold',
  acme('{not: {labels: {color: blue}, names: [web-2]}}'),
  members('db-1'),
)
meaning('[G9] not of an unknown operating system holds', acme('{not: {os: ["debian*"]}}'), members('web-2', 'db-1'))
meaning('[G9] not of an expression', acme('{not: {expressions: [{label: color, notin: [blue]}]}}'), members('web-1'))
meaning(
  '[G9] not of exists',
  acme('{labels: {tier: [web, db]}, not: {expressions: [{label: color, exists: true}]}}'),
  members('web-2'),
)
meaning('[G10] a selector of a tenant sees its own endpoints', acme('{labels: {tier: web}}'), members('web-1', 'web-2'))
meaning(
  '[G10] one of the provider sees every tenant',
  provider('{labels: {tier: web}}'),
  members('web-1', 'web-2', 'app-1', 'alone'),
)
meaning(
  '[G11] networks: every address inside, also of endpoints',
  acme('{networks: [10.0.0.1, "fd00::1/128"]}'),
  members('web-1'),
)
refusal('[G11] a prefix has no bits beside its length', 'address.host-bits', acme('{networks: [10.0.0.1/24]}'))
const nets = '{networks: [10.0.0.0/8, "fd00::/16"], except: [10.0.0.1, 10.0.0.2/31, "fd00::/126", 10.0.0.0/30]}'
meaning('[G12] exceptions always win, however short', acme(nets), [
  ['drop', 'tcp', 'web-1', 'outside', 80],
  ['drop', 'tcp', '10.0.0.3', '192.0.2.9', 80],
])
meaning(
  '[G12] exceptions take out nothing else',
  acme('{networks: [10.0.0.0/8, "fd00::/16"], except: [10.0.0.1, "fd00::1"]}'),
  [
    ['drop', 'tcp', 'web-1', 'outside', 80],
    ['allow', 'tcp', 'web-2', 'outside', 80],
  ],
)
refusal(
  '[G12] except goes with networks or groups',
  'group.except-alone',
  acme('{labels: {x: y}, except: [10.0.0.0/8]}'),
)
const some = ', a: {names: ["web-*"]}, b: {labels: {color: red}}, c: {labels: {color: blue}}'
meaning('[G13] groups: members of any', acme('{groups: [a, b]}', some), members('web-1', 'web-2', 'db-1'))
meaning('[G13] except: members of none of these', acme('{groups: [a, b], except: [c]}', some), members('web-2', 'db-1'))
refusal(
  '[G14] a group in itself is refused',
  'group.cycle',
  'tenants: {acme: {groups: {a: {groups: [b]}, b: {groups: [a]}}}}',
)
refusal(
  '[G14] also through an exception',
  'group.cycle',
  'tenants: {acme: {groups: {c: {names: [x]}, a: {groups: [c], except: [b]}, b: {groups: [a]}}}}',
)
refusal(
  '[G15] a selector of nothing is refused',
  'group.empty-selector',
  'tenants: {acme: {groups: {g: {}}}}',
  'tenants: {acme: {groups: {g: {labels: {}}}}}',
  'tenants: {acme: {groups: {g: {networks: []}}}}',
  'tenants: {acme: {groups: {g: {not: {}}}}}',
)
test('[G16] a group that selects every endpoint it can see is told, one that leaves one out is not', () => {
  const codes = (group: string): readonly string[] =>
    validateAgainst(toPolicy(acme(group)), toInventory()).map((one) => one.code)
  expect(codes('{names: ["*"]}')).toContain('selector.matches-everything')
  expect(codes('{not: {names: ["nobody*"]}}')).toContain('selector.matches-everything')
  expect(codes('{not: {names: ["web-1"]}}')).not.toContain('selector.matches-everything')
})

function served(service: string, services = ''): string {
  return `tenants: {acme: {services: {x: {tcp: [1]}${services}}, policies: [{policy: p, rules: [{name: r, from: any, to: any, service: ${service}, action: allow}]}]}}`
}
meaning('[S1] ports are those of the destination, one, a range or all', served('{tcp: [80, 8000-8100], udp: any}'), [
  ['allow', 'tcp', 'web-1', 'db-1', 80],
  ['allow', 'tcp', 'web-1', 'db-1', 8000],
  ['allow', 'tcp', 'web-1', 'db-1', 8100],
  ['allow', 'udp', 'web-1', 'db-1', 65_535],
  ['drop', 'tcp', 'web-1', 'db-1', 79],
  ['drop', 'tcp', 'web-1', 'db-1', 8101],
  ['drop', 'sctp', 'web-1', 'db-1', 80],
])
meaning(
  '[S2] ICMP types by name, number and range',
  served('{icmp: [echo-request, 13-14], icmpv6: [128, nd-redirect]}'),
  [
    ['allow', 'icmp', 'web-1', 'db-1', 8],
    ['allow', 'icmp', 'web-1', 'db-1', 14],
    ['drop', 'icmp', 'web-1', 'db-1', 0],
    ['allow', 'icmpv6', 'web-1', 'db-1', 128],
    ['allow', 'icmpv6', 'web-1', 'db-1', 137],
    ['drop', 'icmpv6', 'web-1', 'db-1', 8],
  ],
)
meaning('[S3] protocol numbers; one with ports means all of them', served('{protocol: [47, 6]}'), [
  ['allow', 'gre', 'web-1', 'db-1'],
  ['allow', 'tcp', 'web-1', 'db-1', 1],
  ['drop', 'esp', 'web-1', 'db-1'],
  ['drop', 'udp', 'web-1', 'db-1', 1],
])
refusal('[S4] ranges of one list may not overlap', 'port.overlap', served('{tcp: [80-90, 85-100]}'))
meaning(
  '[S5] services: those of all that are named, and its own',
  served('g', ', a: {tcp: [80]}, b: {udp: [53]}, g: {services: [a, b], sctp: [7]}'),
  [
    ['allow', 'tcp', 'web-1', 'db-1', 80],
    ['allow', 'udp', 'web-1', 'db-1', 53],
    ['allow', 'sctp', 'web-1', 'db-1', 7],
    ['drop', 'tcp', 'web-1', 'db-1', 53],
  ],
)
refusal('[S5] a service in itself is refused', 'service.cycle', served('x', ', a: {services: [b]}, b: {services: [a]}'))
meaning('[S6] a list of services means any of them', served('[x, y]', ', y: {udp: [2]}'), [
  ['allow', 'tcp', 'web-1', 'db-1', 1],
  ['allow', 'udp', 'web-1', 'db-1', 2],
  ['drop', 'udp', 'web-1', 'db-1', 1],
])
meaning('[S7] a bare name falls back to the common services', served('bgp'), [
  ['allow', 'tcp', 'web-1', 'db-1', 179],
  ['drop', 'tcp', 'web-1', 'db-1', 178],
])
const ownBgp = ', bgp: {udp: [179]}'
meaning('[S7] an own service goes before a common one', served('bgp', ownBgp), [
  ['allow', 'udp', 'web-1', 'db-1', 179],
  ['drop', 'tcp', 'web-1', 'db-1', 179],
])
meaning('[S7] common/NAME is the common one', served('common/bgp', ownBgp), [
  ['allow', 'tcp', 'web-1', 'db-1', 179],
  ['drop', 'udp', 'web-1', 'db-1', 179],
])
