import type { Tier } from './ids.ts'

/** The parts of a rule reference, for readers. */
export interface RuleOrigin {
  readonly ref: string
  readonly tier: Tier
  /** Null for provider tiers and for what is built in. */
  readonly tenant: string | null
  readonly policy: string
  readonly name: string
}

/** Back from `<tier>:<tenant>/<policy>/<rule>` as toRuleRef makes it (no part holds a slash). A text that no plan of ours made is its own name, built in. */
export function toRuleOrigin(ref: string): RuleOrigin {
  const [, tierText, tenant, policy, name] = /^([a-z]+):([^/]*)\/([^/]*)\/(.*)$/.exec(ref) ?? []
  const tier = tiers.find((each) => each === tierText)
  if (tier === undefined) return { ref, tier: 'builtin', tenant: null, policy: '', name: ref }
  return { ref, tier, tenant: tenant === '' ? null : (tenant ?? null), policy: policy ?? '', name: name ?? '' }
}

const tiers = ['emergency', 'platform', 'tenant', 'baseline', 'builtin'] as const satisfies readonly Tier[]
