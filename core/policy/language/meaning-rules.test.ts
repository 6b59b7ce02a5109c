/** Pins the sentences of docs/policy-language.md about rules, tiers and what becomes of a connection. */
import { expect, test } from 'vitest'

import { explain } from '../explain/explain.ts'
import type { PolicyFile } from '../document/bundle.ts'
import { parsePolicyFiles } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import { meaning, refusal, toInventory, toPacket, toPolicy } from '../testing/language-world.ts'
import { referenceFate, referenceVerdict } from '../testing/reference-verdict.ts'

const groups = 'groups: {web: {labels: {tier: web}}, db: {labels: {tier: db}}, blue: {labels: {color: blue}}}'

/** Rules of acme, of globex, and what else stands beside acme's policies. */
function acme(rules: readonly string[], more = '', globex = 'default: allow'): string {
  return `tenants:\n  acme:\n    ${groups}\n    policies:\n      - policy: p\n        rules: [${rules.map((rule, index) => `{name: r${index}, ${rule}}`).join(', ')}]\n    ${more}\n  globex: {${globex}}\n`
}

/** A tier of the provider with one policy. */
function tier(name: string, ...rules: readonly string[]): string {
  return `  ${name}: [{policy: ${name}, rules: [${rules.map((rule, index) => `{name: ${name}${index}, ${rule}}`).join(', ')}]}]\n`
}

const providerGroups = '  groups: {webs: {labels: {tier: web}}}\n'

refusal(
  '[R1] a rule without name, from, to or action is refused',
  'field.missing',
  ...['to: any, action: drop', 'from: any, action: drop', 'from: any, to: any'].map((rule) => acme([rule])),
  'tenants: {acme: {policies: [{policy: p, rules: [{from: any, to: any, action: allow}]}]}}',
)
refusal('[R1] an empty list of sides is refused', 'rule.empty-side', acme(['from: [], to: any, action: allow']))
meaning('[R2] a side is a group', acme(['from: web, to: db, action: allow']), [
  ['allow', 'tcp', 'web-1', 'db-1', 5432, 'r0'],
  ['drop', 'tcp', 'web-1', 'web-2', 5432],
  ['drop', 'tcp', 'db-1', 'web-1', 5432],
])
meaning(
  '[R2] a side is a prefix',
  acme(['from: 203.0.113.0/24, to: web, action: allow', 'from: "2001:db8:1::/48", to: web, action: allow']),
  [
    ['allow', 'tcp', 'office', 'web-1', 80],
    ['drop', 'tcp', 'outside', 'web-1', 80],
  ],
)
meaning('[R2] a list means any of them', acme(['from: [db, 203.0.113.7, "2001:db8:1::7"], to: any, action: allow']), [
  ['allow', 'tcp', 'db-1', 'web-1', 80],
  ['allow', 'tcp', 'office', 'web-1', 80],
  ['drop', 'tcp', 'web-2', 'web-1', 80],
])
meaning('[R2] any is every address', acme(['from: any, to: any, action: allow']), [
  ['allow', 'tcp', 'outside', 'web-1', 80],
  ['allow', 'esp', 'db-1', 'office'],
  ['drop', 'tcp', 'web-1', 'alone', 80],
])
refusal('[R2] any stands alone', 'rule.any-in-list', acme(['from: [web, any], to: any, action: allow']))
meaning(
  '[R3] any-of without not',
  acme(['from: {any-of: [web, db], not: [blue]}, to: any, direction: egress, action: allow']),
  [
    ['allow', 'tcp', 'web-2', 'outside', 80],
    ['allow', 'tcp', 'db-1', 'outside', 80],
    ['drop', 'tcp', 'web-1', 'outside', 80],
  ],
)
meaning(
  '[R3] not alone is everything else',
  acme(['from: {not: [blue, 203.0.113.0/24, "2001:db8:1::/48"]}, to: any, action: allow']),
  [
    ['allow', 'tcp', 'outside', 'web-1', 80],
    ['drop', 'tcp', 'office', 'web-1', 80],
    ['drop', 'tcp', 'web-1', 'web-2', 80],
  ],
)
refusal(
  '[R3] a side of which not leaves nothing is refused',
  'rule.nothing-left',
  acme(['from: {any-of: [web], not: [web]}, to: any, action: allow']),
)
meaning(
  '[R4] a selector in place',
  acme([
    'from: {labels: {tier: web}, not: {hosts: [north]}}, to: {networks: [10.0.0.0/29, "fd00::/120"], except: [10.0.0.1, "fd00::1"]}, action: allow',
  ]),
  [
    ['allow', 'tcp', 'web-2', 'db-1', 80],
    ['drop', 'tcp', 'web-1', 'db-1', 80],
    ['drop', 'tcp', 'web-2', 'web-1', 80],
  ],
)
meaning(
  '[R4] not over a mapping selects endpoints, not over names leaves out of everything',
  acme(['from: {not: {labels: {color: blue}}}, to: web, action: allow', 'from: {not: [blue]}, to: db, action: allow']),
  [
    ['allow', 'tcp', 'web-2', 'web-1', 80],
    ['drop', 'tcp', 'office', 'web-1', 80],
    ['allow', 'tcp', 'office', 'db-1', 80],
    ['drop', 'tcp', 'web-1', 'db-1', 80],
  ],
)
meaning('[R5] without service a rule is for every one', acme(['from: web, to: db, action: allow']), [
  ['allow', 'udp', 'web-1', 'db-1', 1],
  ['allow', 'esp', 'web-1', 'db-1'],
  ['allow', 'icmp', 'web-1', 'db-1', 8],
])
meaning('[R6] egress is asked at the source only', acme(['from: any, to: any, direction: egress, action: allow']), [
  ['allow', 'tcp', 'web-1', 'outside', 80],
  ['drop', 'tcp', 'outside', 'web-1', 80],
  ['drop', 'tcp', 'web-1', 'db-1', 80],
])
meaning(
  '[R6] ingress is asked at the destination only',
  acme(['from: any, to: any, direction: ingress, action: allow']),
  [
    ['drop', 'tcp', 'web-1', 'outside', 80],
    ['allow', 'tcp', 'outside', 'web-1', 80],
    ['drop', 'tcp', 'web-1', 'db-1', 80],
  ],
)
meaning('[R6] without direction a rule is asked at both', acme(['from: any, to: any, action: allow']), [
  ['allow', 'tcp', 'web-1', 'db-1', 80],
])
meaning(
  '[R7] only endpoints in applied-to ask the rule',
  acme(['from: any, to: any, applied-to: web, action: allow', 'from: any, to: any, direction: egress, action: allow']),
  [
    ['allow', 'tcp', 'outside', 'web-1', 80, 'r0'],
    ['drop', 'tcp', 'outside', 'db-1', 80],
    ['allow', 'tcp', 'db-1', 'web-1', 80, 'r1'],
    ['drop', 'tcp', 'web-1', 'db-1', 80],
  ],
)
meaning(
  '[R7] applied-to takes every form of a side',
  acme(['from: any, to: any, applied-to: {not: [blue]}, action: allow']),
  [
    ['allow', 'tcp', 'outside', 'web-2', 80],
    ['drop', 'tcp', 'outside', 'web-1', 80],
  ],
)
meaning(
  '[R8] allow, drop, reject',
  acme([
    'from: any, to: web, service: {tcp: [80]}, action: allow',
    'from: any, to: web, service: {tcp: [81]}, action: drop',
    'from: any, to: web, service: {tcp: [82]}, action: reject',
    'from: any, to: any, action: allow',
  ]),
  [
    ['allow', 'tcp', 'outside', 'web-1', 80],
    ['drop', 'tcp', 'outside', 'web-1', 81],
    ['reject', 'tcp', 'outside', 'web-1', 82],
    ['allow', 'tcp', 'outside', 'web-1', 83],
  ],
)
meaning(
  '[R9] allow-stateless is a verdict of its own',
  acme(
    ['from: outside-net, to: any, action: allow-stateless', 'from: any, to: any, action: allow'].map((rule) =>
      rule.replace('outside-net', '{networks: [192.0.2.0/24, "2001:db8::/48"]}'),
    ),
  ),
  [
    ['allow-stateless', 'tcp', 'outside', 'web-1', 80],
    ['allow', 'tcp', 'office', 'web-1', 80],
  ],
)
const deep = 'profiles: {deep: {}}'
meaning(
  '[R10] inspect goes through the gateway under a profile',
  acme(['from: web, to: db, action: inspect, profile: deep', 'from: any, to: any, action: allow'], deep),
  [
    ['inspect', 'tcp', 'web-1', 'db-1', 80],
    ['allow', 'tcp', 'db-1', 'web-1', 80],
  ],
)
refusal('[R10] inspect needs a profile', 'field.missing', acme(['from: any, to: any, action: inspect'], deep))
refusal(
  '[R10] a profile needs inspect',
  'rule.profile-without-inspect',
  acme(['from: any, to: any, action: allow, profile: deep'], deep),
)
meaning(
  '[R11] log changes no verdict',
  acme([
    'from: web, to: any, direction: egress, log: {rate: 1}, action: allow',
    'from: db, to: any, direction: egress, log: true, action: reject',
  ]),
  [
    ['allow', 'tcp', 'web-1', 'outside', 80],
    ['reject', 'tcp', 'db-1', 'outside', 80],
  ],
)
test('[R11] log: true tells, log: {rate: N} at most N a second, neither nothing', () => {
  const told = (log: string): unknown => {
    const [rule] = toPolicy(acme([`from: any, to: any, action: allow${log}`])).rules
    return [rule?.log, rule?.logRate]
  }
  expect([told(''), told(', log: true'), told(', log: {rate: 1000000}')]).toEqual([
    [false, undefined],
    [true, undefined],
    [true, 1_000_000],
  ])
})
refusal(
  '[R11] a rate is 1 to 1,000,000',
  'number.out-of-range',
  ...['0', '1000001', '-1', '1.5'].map((rate) => acme([`from: any, to: any, action: allow, log: {rate: ${rate}}`])),
)
refusal(
  '[R12] names of rules are unique in their policy',
  'name.duplicate',
  'tenants: {acme: {policies: [{policy: p, rules: [{name: r, from: any, to: any, action: drop}, {name: r, from: any, to: any, action: drop}]}]}}',
)
meaning(
  '[R12] description and labels change no verdict',
  acme([
    'from: web, to: any, direction: egress, action: allow, description: by ticket 7, labels: {team: net, tier: db}',
  ]),
  [
    ['allow', 'tcp', 'web-1', 'outside', 80],
    ['drop', 'tcp', 'db-1', 'outside', 80],
  ],
)
meaning(
  '[R13] a rule in monitor mode decides nothing',
  acme([
    'from: web, to: any, monitor: true, action: drop',
    'from: any, to: any, monitor: true, action: allow',
    'from: web, to: any, direction: egress, action: allow',
  ]),
  [
    ['allow', 'tcp', 'web-1', 'outside', 80, 'r2'],
    ['drop', 'tcp', 'db-1', 'outside', 80],
  ],
)
meaning(
  '[R14] the first that would have decided is told, also where nothing decides',
  acme([
    'from: db, to: any, monitor: true, action: reject',
    'from: any, to: any, monitor: true, action: allow',
    'from: web, to: any, action: allow',
    'from: web, to: any, monitor: true, action: drop',
  ]),
  [
    ['allow', 'tcp', 'web-1', 'outside', 80, 'r2'],
    ['drop', 'tcp', 'db-1', 'outside', 80, 'drop'],
  ],
)
meaning(
  '[R15] a pass in monitor mode is as if it were not there',
  `provider:\n${tier('platform', 'from: any, to: any, monitor: true, action: pass', 'from: any, to: any, service: {tcp: [80]}, action: allow')}${acme([])}`,
  [
    ['allow', 'tcp', 'web-1', 'db-1', 80],
    ['drop', 'tcp', 'web-1', 'db-1', 81],
  ],
)

const port = (number: number, action: string): string =>
  `from: any, to: any, service: {tcp: [${number}]}, action: ${action}`
const tiers = `provider:\n${tier('emergency', port(1, 'drop'))}${tier('platform', port(1, 'allow'), port(2, 'drop'))}${tier('baseline', port(1, 'allow'), port(2, 'allow'), port(3, 'allow'), port(4, 'reject'))}${acme([port(1, 'allow'), port(2, 'allow'), port(3, 'drop')])}`
meaning('[T1] emergency, platform, tenant, baseline, then drop', tiers, [
  ['drop', 'tcp', 'web-1', 'db-1', 1, 'emergency0'],
  ['drop', 'tcp', 'web-1', 'db-1', 2, 'platform1'],
  ['drop', 'tcp', 'web-1', 'db-1', 3, 'r2'],
  ['reject', 'tcp', 'web-1', 'db-1', 4, 'baseline3'],
  ['drop', 'tcp', 'web-1', 'db-1', 5, 'drop'],
])
meaning(
  '[T2] the first match decides',
  acme([port(1, 'reject'), port(1, 'allow'), port(2, 'allow'), port(2, 'drop')]),
  [
    ['reject', 'tcp', 'web-1', 'db-1', 1, 'r0'],
    ['allow', 'tcp', 'web-1', 'db-1', 2, 'r2'],
  ],
)
const ordered = (first: string, second: string): string =>
  `tenants: {acme: {policies: [{policy: a, ${first}rules: [{name: a, ${port(1, 'allow')}}]}, {policy: b, ${second}rules: [{name: b, ${port(1, 'reject')}}]}]}}`
meaning('[T3] without order, policies are asked as they stand', ordered('', ''), [
  ['allow', 'tcp', 'web-1', 'db-1', 1, 'a'],
])
meaning('[T3] with order, ascending', ordered('order: 20, ', 'order: -10, '), [
  ['reject', 'tcp', 'web-1', 'db-1', 1, 'b'],
])
refusal('[T4] two of the same order are refused', 'policy.order-tie', ordered('order: 1, ', 'order: 1, '))
refusal('[T4] an order beside a policy without one is refused', 'policy.order-missing', ordered('order: 1, ', ''))
test('[T4] policies of one tier out of several documents need an order', () => {
  const file = (name: string, order: string): PolicyFile => ({
    file: name,
    text: `apiVersion: hyperward/v1\nkind: Policy\ntenants: {acme: {policies: [{policy: ${name}, ${order}rules: []}]}}`,
  })
  const codes = (files: readonly PolicyFile[]): readonly string[] => {
    const parsed = parsePolicyFiles(files)
    return parsed.ok ? [] : parsed.diagnostics.map((one) => one.code)
  }
  expect(codes([file('a', ''), file('b', '')])).toContain('policy.order-missing')
  expect(codes([file('a', 'order: 1, '), file('b', 'order: 1, ')])).toEqual(['policy.order-tie'])
  expect(codes([file('a', 'order: 1, '), file('b', 'order: 2, ')])).toEqual([])
})
refusal(
  '[T5] names of policies are unique in their tier and tenant',
  'name.duplicate',
  'tenants: {acme: {policies: [{policy: p, rules: []}, {policy: p, rules: []}]}}',
)
const passing = `provider:\n${tier('platform', port(1, 'pass'), port(1, 'drop'))}${tier('baseline', port(2, 'allow'), port(3, 'pass'), port(3, 'allow'))}${acme([port(1, 'allow'), port(2, 'pass'), port(2, 'drop')])}`
meaning('[T6] pass leaves the tier for the next one', passing, [
  ['allow', 'tcp', 'web-1', 'db-1', 1, 'r0'],
  ['allow', 'tcp', 'web-1', 'db-1', 2, 'baseline0'],
])
meaning('[T6] pass in the last tier ends at the drop', passing, [['drop', 'tcp', 'web-1', 'db-1', 3, 'drop']])
meaning(
  '[T7] what a tier of the provider decides no tenant can widen',
  `provider:\n${tier('platform', port(1, 'drop'))}${acme([port(1, 'allow')], 'exclusions: [{name: x, members: web, reason: r, expires: 2099-01-01}]\n    default: allow')}`,
  [
    ['drop', 'tcp', 'web-1', 'web-2', 1],
    ['allow', 'tcp', 'web-1', 'web-2', 2],
  ],
)
meaning(
  '[T8] rules of another tenant are never asked',
  acme(
    ['from: any, to: any, direction: egress, action: allow'],
    '',
    'policies: [{policy: p, rules: [{name: g, from: any, to: any, action: reject}]}]',
  ),
  [
    ['reject', 'tcp', 'web-1', 'app-1', 80, 'g'],
    ['allow', 'tcp', 'web-1', 'outside', 80, 'r0'],
    ['drop', 'tcp', 'outside', 'web-1', 80],
  ],
)

const left = (members: string): string =>
  `exclusions: [{name: x, members: ${members}, reason: migration, expires: 2099-01-01}]`
meaning(
  '[E1] an exclusion of the provider comes after emergency and before platform',
  `provider:\n${providerGroups}  ${left('webs')}\n${tier('emergency', port(1, 'drop'))}${tier('platform', 'from: any, to: any, action: reject')}${acme([])}`,
  [
    ['drop', 'tcp', 'web-1', 'web-2', 1, 'emergency0'],
    ['allow', 'tcp', 'web-1', 'web-2', 2, 'x'],
    ['allow', 'gre', 'outside', 'web-1', null, 'x'],
    ['reject', 'tcp', 'db-1', 'web-1', 2, 'platform0'],
  ],
)
meaning(
  '[E2] an exclusion of a tenant comes before its own rules, after those of the provider',
  `provider:\n${tier('platform', port(1, 'drop'))}${acme(['from: any, to: any, action: reject'], left('blue'))}`,
  [
    ['drop', 'tcp', 'outside', 'web-1', 1, 'platform0'],
    ['allow', 'tcp', 'outside', 'web-1', 2, 'x'],
    ['reject', 'tcp', 'outside', 'web-2', 2, 'r0'],
  ],
)
refusal(
  '[E3] an exclusion has name, members, reason and expires',
  'field.missing',
  ...[
    'members: web, reason: r, expires: 2099-01-01',
    'name: x, reason: r, expires: 2099-01-01',
    'name: x, members: web, expires: 2099-01-01',
    'name: x, members: web, reason: r',
  ].map((entry) => acme([], `exclusions: [{${entry}}]`)),
)
const fallback = (action: string): string =>
  `provider:\n${tier('baseline', port(2, 'allow'))}${acme([port(1, 'allow')], `default: ${action}`)}`
meaning('[E4] the default decides after the rules of the tenant and before baseline', fallback('reject'), [
  ['allow', 'tcp', 'web-1', 'db-1', 1, 'r0'],
  ['reject', 'tcp', 'web-1', 'db-1', 2, 'reject'],
  ['reject', 'tcp', 'outside', 'web-1', 3, 'reject'],
])
meaning('[E4] a default may allow', fallback('allow'), [['allow', 'tcp', 'outside', 'web-1', 3, 'allow']])
meaning('[E5] without a default, or with pass, baseline is asked', fallback('pass'), [
  ['allow', 'tcp', 'web-1', 'db-1', 2, 'baseline0'],
  ['drop', 'tcp', 'web-1', 'db-1', 3],
])

const pair = (source: string, destination: string): string =>
  acme(
    [
      `from: any, to: any, direction: egress, action: ${source}`,
      `from: any, to: any, direction: ingress, action: ${destination}`,
    ],
    deep,
  )
meaning(
  '[J1] both sides are asked where both are endpoints',
  acme([
    'from: web, to: any, direction: egress, action: allow',
    'from: any, to: db, direction: ingress, action: allow',
  ]),
  [
    ['allow', 'tcp', 'web-1', 'db-1', 80],
    ['drop', 'tcp', 'web-1', 'web-2', 80],
    ['drop', 'tcp', 'db-1', 'db-1', 80],
  ],
)
meaning('[J2] the source refuses first', pair('reject', 'drop'), [['reject', 'tcp', 'web-1', 'db-1', 80]])
meaning('[J2] what the source allows the destination refuses', pair('allow', 'reject'), [
  ['reject', 'tcp', 'web-1', 'db-1', 80],
])
meaning(
  '[J2] inspect at one side wins over allow and allow-stateless at the other',
  pair('allow-stateless', 'inspect, profile: deep'),
  [['inspect', 'tcp', 'web-1', 'db-1', 80]],
)
meaning('[J2] allow-stateless at one side wins over allow', pair('allow', 'allow-stateless'), [
  ['allow-stateless', 'tcp', 'web-1', 'db-1', 80],
])
meaning(
  '[J3] between two addresses that are no endpoint nothing is enforced',
  acme(['from: any, to: any, action: drop']),
  [
    ['not-enforced', 'tcp', 'outside', 'office', 80],
    ['not-enforced', 'tcp', 'stray', 'office', 80],
    ['drop', 'tcp', 'outside', 'web-1', 80],
  ],
)

const own = acme([
  'from: web, to: any, direction: egress, action: allow',
  'from: {networks: [192.0.2.9, "2001:db8::9"]}, to: web, action: allow',
])
meaning('[A1] the address made from the MAC is its own too', own, [
  ['allow', 'udp', 'fe80::5054:ff:fe00:1', '2001:db8::9', 53],
  ['drop', 'udp', 'fe80::5054:ff:fe00:3', '2001:db8::9', 53],
])
meaning(
  '[A3] a VM without a tenant is an outside address to the others',
  acme([
    'from: {labels: {tier: web}}, to: any, action: allow',
    'from: {networks: [10.0.0.5, "fd00::5"]}, to: db, action: allow',
  ]),
  [
    ['allow', 'tcp', 'stray', 'db-1', 80],
    ['drop', 'tcp', 'stray', 'web-1', 80],
  ],
)
meaning(
  '[A4] a VM of a tenant that the policy does not name is judged by the tiers of the provider',
  `provider:\n${tier('baseline', port(1, 'allow'))}${acme(['from: any, to: any, action: allow'])}`,
  [
    ['allow', 'tcp', 'outside', 'alone', 1],
    ['drop', 'tcp', 'outside', 'alone', 2],
  ],
)
test('[A2] an address that two endpoints claim belongs to neither', () => {
  const inventory = toInventory()
  const [first, second, ...others] = inventory.vms
  if (first === undefined || second === undefined) return expect.fail('the world has VMs')
  const endpoints = second.endpoints.map((one) => ({ ...one, addresses: first.endpoints[0]?.addresses ?? [] }))
  const clashing = { ...inventory, vms: [first, { ...second, endpoints }, ...others] }
  const policy = toPolicy(acme(['from: web, to: any, action: allow']))
  const packet = toPacket('10.0.0.1', '10.0.0.3')
  const actions = [inventory, clashing].map((one) => {
    const sides = (['egress', 'ingress'] as const).map((side) => referenceVerdict(policy, one, packet, side)?.action)
    expect(resolve(policy, one).problems.length > 0).toBe(one === clashing)
    return sides
  })
  expect(actions).toEqual([
    ['allow', 'allow'],
    [undefined, 'drop'],
  ])
  const resolved = resolve(policy, clashing)
  expect(explain(resolved, packet).verdict).toBe(referenceFate(policy, clashing, packet))
})
