/** Guarantees as a policy of their own, resolved over the same inventory: its classes tell apart what the guarantees name, also groups that no rule does. */
import { type Policy, type Rule, toRuleRef } from '@hyperward/model'

import { resolve } from '../resolve/resolve.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'

/** Rule number i of the result stands for guarantee number i; its action means nothing. */
export function stateGuarantees({ policy, inventory }: ResolvedPolicy): ResolvedPolicy {
  const rules = policy.guarantees.map(({ name, source, destination, service }): Rule => {
    const [, own = name] = /^[^/]*\/(.*)$/.exec(name) ?? []
    return {
      ref: toRuleRef('platform', null, 'guarantees', name),
      tier: 'platform',
      tenant: null,
      policy: 'guarantees',
      name: own,
      source,
      destination,
      service,
      directions: ['egress', 'ingress'],
      action: 'allow',
      log: false,
      monitor: false,
    }
  })
  const stated: Policy = { tenants: policy.tenants, groups: policy.groups, rules, guarantees: [] }
  return resolve(stated, inventory)
}
