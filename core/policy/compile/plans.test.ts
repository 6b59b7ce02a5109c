import { readFileSync } from 'node:fs'

import { type Action, type HostPlan, type Inventory, parseAddress, parseRevision } from '@hyperward/model'
import { expect, test } from 'vitest'

import { explainPlans } from '../explain/explain-plans.ts'
import { explain } from '../explain/explain.ts'
import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { assignNumbers } from '../resolve/assign-numbers.ts'
import { resolve } from '../resolve/resolve.ts'
import { sha256 } from '../testing/sha256.ts'
import { compile } from './compile.ts'
import { isStale } from './is-stale.ts'
import { parseHostPlan } from './parse-host-plan.ts'
import { planText } from './plan-text.ts'

const inventoryText = `apiVersion: hyperward/v1
kind: Inventory
hosts: [one, two, spare]
vms:
  - {uuid: 00000000-0000-4000-8000-000000000001, name: web, host: one, tenant: acme, labels: {app: shop, tier: web}, endpoints: [{mac: "52:54:00:00:00:01", addresses: [10.20.0.11, "fd00:20::11"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000002, name: app, host: two, tenant: acme, labels: {app: shop, tier: app}, endpoints: [{mac: "52:54:00:00:00:02", addresses: [10.20.0.12, "fd00:20::12"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000003, name: db, host: one, tenant: acme, labels: {app: shop, tier: db}, endpoints: [{mac: "52:54:00:00:00:03", addresses: [10.20.0.13, "fd00:20::13"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000004, name: globex, host: two, tenant: globex, labels: {role: server}, endpoints: [{mac: "52:54:00:00:00:04", addresses: [10.20.0.21, "fd00:20::21"]}]}
  - {uuid: 00000000-0000-4000-8000-000000000005, name: nobodys, host: two, endpoints: [{mac: "52:54:00:00:00:05", addresses: [10.20.0.31]}]}
`
const inventory = readInventory()
const policyText = readFileSync(new URL('../testing/shop.policy.yaml', import.meta.url), 'utf8')
const resolved = resolveDemo(inventory)
const { plans } = compile(resolved, { revision: revision(7), sha256 })

function readInventory(): Inventory {
  const parsed = parseInventory(inventoryText, 'i.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}

function resolveDemo(inventory: Inventory) {
  const parsed = parsePolicy(policyText, 'p.yaml')
  return parsed.ok ? resolve(parsed.value, inventory) : expect.fail(JSON.stringify(parsed.diagnostics))
}

function revision(value: number) {
  return parseRevision(value) ?? expect.fail()
}

const hosts = { web: 11, app: 12, db: 13, globex: 21, nobodys: 31, outside: 250 } as const
const tcp = 6
const rows: readonly (readonly [Action, number, keyof typeof hosts, keyof typeof hosts, number, string])[] = [
  ['allow', tcp, 'outside', 'web', 443, 'customers-to-web'],
  ['drop', tcp, 'outside', 'web', 444, 'nothing-else-enters'],
  ['drop', tcp, 'outside', 'db', 443, 'nothing-else-enters'],
  ['allow', tcp, 'web', 'outside', 80, 'web-to-outside'],
  ['drop', tcp, 'web', 'outside', 25, 'no-mail-from-guests'],
  ['allow', tcp, 'web', 'app', 8080, 'web-to-app'],
  ['drop', tcp, 'app', 'web', 8080, 'nothing-else-leaves'],
  ['allow', tcp, 'app', 'db', 5432, 'app-to-db'],
  ['drop', tcp, 'web', 'db', 5432, 'web-never-reaches-db'],
  ['allow', 17, 'app', 'db', 9000, 'app-feeds-db'],
  ['drop', 17, 'app', 'db', 9001, 'nothing-else-leaves'],
  ['reject', tcp, 'web', 'db', 23, 'telnet-is-refused'],
  ['drop', tcp, 'web', 'globex', 443, 'nothing-else-leaves'],
  ['drop', tcp, 'globex', 'db', 5432, 'nothing-else-leaves'],
  ['allow', tcp, 'outside', 'globex', 443, 'globex-serves-https'],
  ['drop', 132, 'web', 'app', 8080, 'nothing-else-leaves'],
  ['drop', 47, 'web', 'app', 0, 'nothing-else-leaves'],
  ['drop', tcp, 'nobodys', 'web', 8080, 'nothing-else-enters'],
]

test.each([4, 6] as const)(
  'the policy of the shop over IPv%d: each packet has the fate and the rule its author meant',
  (family) => {
    const address = (name: keyof typeof hosts) =>
      parseAddress(family === 4 ? `10.20.0.${hosts[name]}` : `fd00:20::${hosts[name]}`) ?? expect.fail()
    for (const [action, protocol, from, to, port, rule] of rows) {
      const packet = { source: address(from), destination: address(to), protocol, port }
      const told = explain(resolved, packet)
      const deciding = told.sides.find((side) => side.action !== 'allow') ?? told.sides[0]
      const loaded = explainPlans(plans, packet)
      expect([from, to, protocol, port, told.verdict, deciding?.rule?.name]).toEqual([
        from,
        to,
        protocol,
        port,
        action,
        rule,
      ])
      expect(loaded.verdict).toBe(told.verdict)
      expect(loaded.sides.map((side) => side.rule.ref)).toEqual(told.sides.map((side) => side.ref))
    }
  },
)

test('ping passes inside a tenant over both families, and other ICMP does not', () => {
  const ask = (source: string, destination: string, protocol: number, port: number) =>
    explain(resolved, {
      source: parseAddress(source) ?? expect.fail(),
      destination: parseAddress(destination) ?? expect.fail(),
      protocol,
      port,
    }).verdict
  expect(ask('10.20.0.11', '10.20.0.13', 1, 8)).toBe('allow')
  expect(ask('10.20.0.11', '10.20.0.13', 1, 13)).toBe('drop')
  expect(ask('fd00:20::11', 'fd00:20::13', 58, 128)).toBe('allow')
  expect(ask('fe80::5054:ff:fe00:1', 'fe80::5054:ff:fe00:3', 58, 128)).toBe('allow')
  expect(ask('fd00:20::11', 'fd00:20::13', 58, 134)).toBe('drop')
  expect(ask('10.20.0.21', '10.20.0.13', 1, 8)).toBe('drop')
})

test('a VM without a tenant has no endpoint in any plan, and its address is in no table', () => {
  expect(plans.flatMap((plan) => plan.sections.endpoints.map((endpoint) => endpoint.vmName))).not.toContain('nobodys')
  expect(plans[0]?.sections.addresses.map((entry) => entry.address)).not.toContain('10.20.0.31')
})

test('a host learns rules of the tenants it has endpoints of, and of no other', () => {
  const tenantsOf = (host: string) =>
    new Set(plans.find((plan) => plan.host === host)?.sections.rules.map((rule) => rule.tenant))
  expect(tenantsOf('one')).toEqual(new Set([null, 'acme']))
  expect(tenantsOf('two')).toEqual(new Set([null, 'acme', 'globex']))
  expect(plans.find((plan) => plan.host === 'spare')?.sections.rules.map((rule) => rule.ref)).toEqual([
    'builtin:/default/drop',
  ])
})

test('the digest says content, not revision; sections are shared between hosts', () => {
  const later = compile(resolveDemo(inventory), { revision: revision(8), sha256 }).plans
  expect(later.map((plan) => plan.digest)).toEqual(plans.map((plan) => plan.digest))
  expect(plans[0]?.sections.addresses).toBe(plans[1]?.sections.addresses)
  expect(new Set(plans.map((plan) => plan.digest)).size).toBe(3)
})

const [plan] = plans as readonly [HostPlan] // three hosts: there is a first

function altered(
  change: (sections: Record<string, Record<string, unknown>[]>, whole: Record<string, unknown>) => void,
): string {
  const whole = JSON.parse(planText(plan)) as { sections: Record<string, Record<string, unknown>[]> }
  change(whole.sections, whole)
  return JSON.stringify(whole)
}

const badPlans: readonly (readonly [name: string, text: string, code: string])[] = [
  ['cut off', planText(plan).slice(0, -20), 'plan.malformed'],
  ['empty', '', 'plan.malformed'],
  ['null', 'null', 'plan.malformed'],
  ['an unknown field', altered((_, whole) => (whole['extra'] = 1)), 'plan.malformed'],
  ['an unknown field deep inside', altered(({ verdicts }) => ((verdicts?.[0] ?? {})['extra'] = 1)), 'plan.malformed'],
  ['another format', altered((_, whole) => (whole['format'] = 1)), 'plan.wrong-format'],
  ['a revision that is none', altered((_, whole) => (whole['revision'] = -1)), 'plan.malformed'],
  [
    'an address in another spelling',
    altered(({ addresses }) => ((addresses?.[0] ?? {})['address'] = '10.20.000.11')),
    'plan.malformed',
  ],
  ['a drop turned to allow', altered(({ rules }) => ((rules?.[0] ?? {})['action'] = 'allow')), 'plan.inconsistent'],
  ['a verdict other than its rule', altered(({ verdicts }) => flip(verdicts?.[0] ?? {})), 'plan.inconsistent'],
  ['a rule index out of range', altered(({ verdicts }) => ((verdicts?.[0] ?? {})['rule'] = 999)), 'plan.inconsistent'],
  [
    'an unknown peer',
    altered(({ verdicts }) => ((verdicts?.at(-1) ?? {})['peer'] = 4_294_967_295)),
    'plan.inconsistent',
  ],
  [
    'an unknown local',
    altered(({ verdicts }) => ((verdicts?.at(-1) ?? {})['local'] = 4_294_967_295)),
    'plan.inconsistent',
  ],
  ['unsorted', altered(({ addresses }) => addresses?.reverse()), 'plan.inconsistent'],
  ['a row twice', altered(({ verdicts }) => verdicts?.unshift(verdicts[0] ?? {})), 'plan.inconsistent'],
  ['an unknown class', altered(({ verdicts }) => ((verdicts?.at(-1) ?? {})['class'] = 65_535)), 'plan.inconsistent'],
  ['a range no port has', altered(({ services }) => ((services?.[0] ?? {})['to'] = 65_535)), 'plan.inconsistent'],
  ['an endpoint without a zone', altered((sections) => (sections['zones'] = [])), 'plan.inconsistent'],
  [
    'a zone of two tenants',
    altered(({ zones }) => zones?.push({ tenant: 'zeta', zone: zones[0]?.['zone'] })),
    'plan.inconsistent',
  ],
  ['no rules', altered((sections) => (sections['rules'] = [])), 'plan.inconsistent'],
  ['a row less', altered(({ verdicts }) => verdicts?.pop()), 'plan.wrong-digest'],
  ['an endpoint less', altered(({ endpoints }) => endpoints?.pop()), 'plan.wrong-digest'],
  ['a digest of another plan', altered((_, whole) => (whole['digest'] = plans[1]?.digest)), 'plan.wrong-digest'],
  ['another host', altered((_, whole) => (whole['host'] = 'two')), 'plan.wrong-digest'],
]

function flip(row: Record<string, unknown>): void {
  row['action'] = row['action'] === 'allow' ? 'drop' : 'allow'
}

test.each(badPlans)('a plan is refused: %s', (_, text, code) => {
  expect(parseHostPlan(text, sha256)).toMatchObject({ ok: false, code })
})

test('an older revision, another host, or other content under the same revision is stale; the same or a newer is not', () => {
  const newer = { ...plan, revision: revision(8) }
  expect([isStale(plan, plan), isStale(plan, newer), isStale(newer, plan)]).toEqual([false, false, true])
  expect(isStale(plan, { ...plan, digest: plans[1]?.digest ?? expect.fail() })).toBe(true)
  expect(isStale(plan, { ...newer, host: plans[1]?.host ?? expect.fail() })).toBe(true)
})

test('numbers stay when something unrelated comes or goes, and colliding texts get different ones', () => {
  const range = { first: 2, last: 0xffff_ffff }
  const few = assignNumbers(['a', 'b'], range)
  const more = assignNumbers(['c', 'b', 'a', 'd'], range)
  expect([more.get('a'), more.get('b')]).toEqual([few.get('a'), few.get('b')])
  const colliding = assignNumbers(['x', 'y', 'z'], { first: 1, last: 3 }, () => 2)
  expect([...colliding]).toEqual([
    ['x', 3],
    ['y', 1],
    ['z', 2],
  ])
  expect(assignNumbers(['z', 'x', 'y'], { first: 1, last: 3 }, () => 2)).toEqual(colliding)
})
