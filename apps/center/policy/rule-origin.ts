import type { ApiRuleOrigin } from '@hyperward/protocol'

/** `<tier>:<tenant>/<policy>/<rule>`, as toRuleRef makes it; none of the parts holds a slash. */
export function toOrigin(ref: string): ApiRuleOrigin {
  const [, tierText, tenant, policy, name] = /^([a-z]+):([^/]*)\/([^/]*)\/(.*)$/.exec(ref) ?? []
  const tier = tiers.find((each) => each === tierText)
  // not made by a plan of ours: shown as it came
  if (tier === undefined) return { ref, tier: 'builtin', tenant: null, policy: '', name: ref }
  return { ref, tier, tenant: tenant === '' ? null : (tenant ?? null), policy: policy ?? '', name: name ?? '' }
}

const tiers = ['platform', 'tenant', 'baseline', 'builtin'] as const
