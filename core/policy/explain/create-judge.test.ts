import {
  type Group,
  type Inventory,
  isPrefix,
  parseAddress,
  parseHostName,
  parseMac,
  parseTenantName,
  parseVmUuid,
  parsePrefix,
  type Policy,
  type Prefix,
  type Rule,
  toEndpointId,
  toGroupName,
  toRuleRef,
} from '@hyperward/model'
import { expect, test } from 'vitest'

import { resolve } from '../resolve/resolve.ts'
import { createJudge } from './create-judge.ts'
import { explain } from './explain.ts'

const acme = must(parseTenantName('acme'))
const uuid = must(parseVmUuid('00000000-0000-4000-8000-000000000001'))
const mac = must(parseMac('52:54:00:00:00:01'))
const own = must(parseAddress('10.0.0.1'))
const inside = must(parseAddress('10.9.0.1'))
const inventory: Inventory = {
  hosts: [{ name: must(parseHostName('h1')) }],
  vms: [
    {
      uuid,
      name: 'web',
      host: must(parseHostName('h1')),
      tenant: acme,
      labels: {},
      endpoints: [{ id: toEndpointId(uuid, mac), mac, addresses: [own] }],
    },
  ],
}
const near: Group = {
  name: toGroupName(null, 'near'),
  tenant: null,
  selector: { kind: 'networks', networks: [toPrefix('10.9.0.0/16')], except: [] },
}

test('what a pass hands down is decided behind a rule that leaves its tier nothing', () => {
  const any = { kind: 'any', except: [] } as const
  const base = {
    source: any,
    destination: any,
    service: { kind: 'any' },
    directions: ['egress'],
    monitor: false,
    log: false,
    policy: 'p',
  } as const
  const rules: readonly Rule[] = [
    {
      ...base,
      ref: toRuleRef('tenant', acme, 'p', 'hand-down'),
      tier: 'tenant',
      tenant: acme,
      name: 'hand-down',
      destination: { kind: 'groups', groups: [near.name], except: [] },
      action: 'pass',
    },
    {
      ...base,
      ref: toRuleRef('tenant', acme, 'p', 'nothing-else'),
      tier: 'tenant',
      tenant: acme,
      name: 'nothing-else',
      action: 'drop',
    },
    {
      ...base,
      ref: toRuleRef('baseline', null, 'p', 'all'),
      tier: 'baseline',
      tenant: null,
      name: 'all',
      action: 'allow',
    },
  ]
  const policy: Policy = { tenants: [acme], groups: [near], rules, guarantees: [] }
  const resolved = resolve(policy, inventory)
  const packet = { source: own, destination: inside, protocol: 6, port: 80 }
  expect(explain(resolved, packet).verdict).toBe('allow')
  expect(createJudge(resolved)(packet).verdict).toBe('allow')
})

function must<T>(value: T | null): T {
  if (value === null) throw new Error('the test world is malformed')
  return value
}

function toPrefix(text: string): Prefix {
  const prefix = parsePrefix(text)
  if (!isPrefix(prefix)) throw new Error('the test world is malformed')
  return prefix
}
