/** For tests: a host's plan written by hand, row by row. */
import {
  hostPlanFormat,
  parseAddress,
  parseHostName,
  parseMac,
  parsePrefix,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  toIdentity,
  toRuleRef,
  isPrefix,
  type Action,
  type Address,
  type Digest,
  type Direction,
  type EndpointId,
  type HostName,
  type HostPlan,
  type Mac,
  type PlannedRule,
  type Prefix,
  type Revision,
  type RuleRef,
} from '@hyperward/model'

export interface PlanEndpoint {
  /** 1..255: makes uuid and MAC. */
  readonly number: number
  readonly tenant: string
  readonly identity: number
  readonly addresses: readonly string[]
  /** On another host: known by address only. */
  readonly elsewhere?: boolean
}

/** [direction, local, peer, class, action, rule name, log?] */
export type PlanVerdict = readonly [Direction, number, number, number, Action, string, boolean?]

export interface PlanInput {
  readonly endpoints: readonly PlanEndpoint[]
  readonly networks?: readonly (readonly [string, number])[]
  /** [protocol, from, to, class] */
  readonly services?: readonly (readonly [number, number, number, number])[]
  readonly verdicts?: readonly PlanVerdict[]
  readonly defaultLog?: boolean
  readonly revision?: number
}

export const planHost: HostName = must(parseHostName('h1'))
const tenants = ['acme', 'globex']

export function makePlan(input: PlanInput): HostPlan {
  const rules: PlannedRule[] = [
    {
      ref: toRuleRef('builtin', null, 'default', 'drop'),
      tier: 'builtin',
      tenant: null,
      policy: 'default',
      name: 'drop',
      action: 'drop',
      log: input.defaultLog ?? false,
    },
  ]
  const verdicts = (input.verdicts ?? []).map(([direction, local, peer, serviceClass, action, name, log = false]) => {
    let rule = rules.findIndex((one) => one.name === name)
    if (rule < 0) {
      const tenant = must(parseTenantName('acme'))
      rule = rules.push({ ref: ruleRef(name), tier: 'tenant', tenant, policy: 'p', name, action, log }) - 1
    }
    return { direction, local: toIdentity(local), peer: toIdentity(peer), class: serviceClass, action, rule }
  })
  return {
    format: hostPlanFormat,
    host: planHost,
    revision: (input.revision ?? 1) as Revision,
    digest: '0'.repeat(64) as Digest,
    sections: {
      endpoints: input.endpoints
        .filter((endpoint) => endpoint.elsewhere !== true)
        .map((endpoint) => ({
          id: endpointId(endpoint.number),
          vm: vmUuid(endpoint.number),
          vmName: `vm-${endpoint.number}`,
          tenant: must(parseTenantName(endpoint.tenant)),
          mac: macOf(endpoint.number),
          addresses: endpoint.addresses.map(address),
        })),
      zones: tenants.map((tenant, index) => ({ tenant: must(parseTenantName(tenant)), zone: index + 1 })),
      addresses: input.endpoints.flatMap((endpoint) =>
        endpoint.addresses.map((text) => ({ address: address(text), identity: toIdentity(endpoint.identity) })),
      ),
      networks: (input.networks ?? []).map(([text, identity]) => ({
        prefix: prefix(text),
        identity: toIdentity(identity),
      })),
      services: (input.services ?? []).map(([protocol, from, to, serviceClass]) => ({
        protocol,
        from,
        to,
        class: serviceClass,
      })),
      verdicts,
      rules,
    },
  }
}

export function ruleRef(name: string): RuleRef {
  return toRuleRef('tenant', must(parseTenantName('acme')), 'p', name)
}

export function endpointId(number: number): EndpointId {
  return toEndpointId(vmUuid(number), macOf(number))
}

export function macOf(number: number): Mac {
  return must(
    parseMac(
      `02:00:00:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`,
    ),
  )
}

export function address(text: string): Address {
  return must(parseAddress(text))
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!isPrefix(parsed)) throw new Error(`${text}: ${parsed}`)
  return parsed
}

function vmUuid(number: number): ReturnType<typeof parseVmUuid> & string {
  return must(parseVmUuid(`00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`))
}

function must<T>(value: T | null): T {
  if (value === null) throw new Error('not parsed')
  return value
}
