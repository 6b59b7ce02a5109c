/** Random policies as the parser would give them, made without it: rules overlap far more than people's do, so that each is shadowed, passed or needed often. For tests only. */
import {
  type Criterion,
  type Group,
  type GroupName,
  isPrefix,
  parsePrefix,
  parseTenantName,
  type Policy,
  type Prefix,
  type Rule,
  type RuleSide,
  type Selector,
  type Service,
  type TenantName,
  toGroupName,
  toRuleRef,
} from '@hyperward/model'
import * as fc from 'fast-check'

import { worldTenants } from './arbitrary-inventory.ts'

const prefixes = [
  '10.0.0.0/8',
  '10.0.0.0/29',
  '10.0.0.4/31',
  '10.0.0.4/32',
  '10.0.0.5/32',
  '0.0.0.0/0',
  '::/0',
  'fd00::/16',
  'fd00::4/126',
  '192.0.2.0/24',
].map(toPrefix)

const criterion: fc.Arbitrary<Criterion> = fc.oneof(
  fc.record({
    kind: fc.constant('label' as const),
    key: fc.constantFrom('tier', 'color'),
    values: fc.constantFrom(['web'], ['db', 'app'], ['blue'], ['red']),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('label-exists' as const),
    key: fc.constantFrom('tier', 'color'),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom('name' as const, 'os' as const, 'host' as const, 'segment' as const),
    patterns: fc.constantFrom(['vm-*'], ['vm-?', 'h1'], ['*12'], ['lan']),
    negated: fc.boolean(),
  }),
)

const names = ['g0', 'g1', 'g2', 'g3', 'g4', 'g5', 'n0', 'n1'].map((name) => toGroupName(null, name))
const tenants = worldTenants.map(toTenant)

function group(name: GroupName, at: number): fc.Arbitrary<Group> {
  const some = fc.uniqueArray(fc.constantFrom(...prefixes), { minLength: 1, maxLength: 2 })
  const endpoints: fc.Arbitrary<Selector> = fc.record({
    kind: fc.constant('endpoints' as const),
    tenants: fc.constantFrom<readonly TenantName[] | null>(null, tenants.slice(0, 1), tenants.slice(1)),
    criteria: fc.array(criterion, { maxLength: 2 }),
  })
  const networks: fc.Arbitrary<Selector> = fc.record({
    kind: fc.constant('networks' as const),
    networks: some,
    except: fc.oneof(fc.constant([]), some),
  })
  const earlier = names.slice(0, at)
  const groups: fc.Arbitrary<Selector> = fc.record({
    kind: fc.constant('groups' as const),
    groups: fc.uniqueArray(fc.constantFrom(...names.slice(0, Math.max(at, 1))), { minLength: 1, maxLength: 2 }),
    except: fc.uniqueArray(fc.constantFrom(...names.slice(0, Math.max(at, 1))), { maxLength: 1 }),
  })
  const isNetwork = name.startsWith('/n')
  return fc
    .oneof(
      isNetwork || earlier.length === 0 ? networks : fc.oneof(endpoints, endpoints, groups),
      isNetwork ? networks : endpoints,
    )
    .map((selector) => ({ name, tenant: null, selector }))
}

const side: fc.Arbitrary<RuleSide> = fc.oneof(
  fc.record({ kind: fc.constant('any' as const), except: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 1 }) }),
  fc.record({
    kind: fc.constant('groups' as const),
    groups: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 2 }),
    except: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 1 }),
  }),
)

const service: fc.Arbitrary<Service> = fc.oneof(
  fc.constant({ kind: 'any' as const }),
  fc.constantFrom<Service>(
    { kind: 'some', entries: [{ protocol: 6, ranges: [{ from: 80, to: 80 }] }] },
    { kind: 'some', entries: [{ protocol: 6, ranges: [{ from: 0, to: 1023 }] }] },
    { kind: 'some', entries: [{ protocol: 6, ranges: [{ from: 0, to: 65_535 }] }] },
    { kind: 'some', entries: [{ protocol: 47, ranges: [] }] },
  ),
)

type Draft = Omit<Rule, 'ref' | 'policy' | 'name'>

const draft: fc.Arbitrary<Draft> = fc
  .record({
    at: fc.constantFrom(
      ...(['emergency', 'platform', 'baseline'] as const).map((tier) => ({ tier, tenant: null })),
      ...tenants.map((tenant) => ({ tier: 'tenant' as const, tenant })),
      ...tenants.map((tenant) => ({ tier: 'tenant' as const, tenant })),
    ),
    source: side,
    destination: side,
    appliedTo: fc.option(side, { freq: 5 }),
    service,
    directions: fc.constantFrom<Rule['directions']>(
      ['ingress'],
      ['egress'],
      ['ingress', 'egress'],
      ['ingress', 'egress'],
    ),
    action: fc.constantFrom<Rule['action']>(
      'allow',
      'allow',
      'drop',
      'drop',
      'reject',
      'pass',
      'allow-stateless',
      'inspect',
    ),
    monitor: fc.integer({ min: 0, max: 7 }).map((value) => value === 0),
    log: fc.boolean(),
  })
  .map(({ at, appliedTo, action, ...rest }) => ({
    ...rest,
    ...at,
    action,
    ...(action === 'inspect' ? { profile: toGroupName(null, 'deep') } : {}),
    ...(appliedTo === null ? {} : { appliedTo }),
  }))

export const arbitraryParsedPolicy: fc.Arbitrary<Policy> = fc
  .record({ groups: fc.tuple(...names.map(group)), rules: fc.array(draft, { minLength: 1, maxLength: 14 }) })
  .map(({ groups, rules }) => ({
    tenants,
    groups: groups.map((one) => (one.selector.kind === 'groups' ? withoutSelf(one) : one)),
    rules: rules.map((one, at): Rule => {
      const [policy, name] = ['p', `r${at}`]
      return { ...one, policy, name, ref: toRuleRef(one.tier, one.tenant, policy, name) }
    }),
    guarantees: [],
  }))

/** The first group has none before it that it could name. */
function withoutSelf(one: Group): Group {
  const { selector } = one
  if (selector.kind !== 'groups') return one
  const keep = (list: readonly GroupName[]): readonly GroupName[] => list.filter((name) => name < one.name)
  return { ...one, selector: { ...selector, groups: keep(selector.groups), except: keep(selector.except) } }
}

function toTenant(text: string): TenantName {
  const tenant = parseTenantName(text)
  if (tenant === null) throw new Error('the test world is malformed')
  return tenant
}

function toPrefix(text: string): Prefix {
  const prefix = parsePrefix(text)
  if (!isPrefix(prefix)) throw new Error('the test world is malformed')
  return prefix
}
