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
  type Verdict,
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

/** [direction, local, peer, class, action, rule name, log?, monitor?]: `log` = connections told a second; `monitor` = rule in monitor mode, its action and log. */
export type PlanVerdict = readonly [
  Direction,
  number,
  number,
  number,
  Action,
  string,
  (boolean | number)?,
  (readonly [name: string, action: Action, log?: boolean | number])?,
]

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
      number: 0,
      ref: toRuleRef('builtin', null, 'default', 'drop'),
      tier: 'builtin',
      tenant: null,
      policy: 'default',
      name: 'drop',
      action: 'drop',
      log: input.defaultLog ?? false,
    },
  ]
  const numberOf = (name: string, action: Action, log: boolean | number, monitor: boolean): number => {
    const found = rules.find((one) => one.name === name)
    if (found !== undefined) return found.number
    const number = ruleNumber(name)
    rules.push({
      number,
      ref: ruleRef(name),
      tier: 'tenant',
      tenant: must(parseTenantName('acme')),
      policy: 'p',
      name,
      action,
      log: log !== false,
      ...(typeof log === 'number' ? { logRate: log } : {}),
      ...(monitor ? { monitor } : {}),
      ...(action === 'inspect' ? { profile: 'acme/web' } : {}),
    })
    return number
  }
  const verdicts = (input.verdicts ?? []).map((row): Verdict => {
    const [direction, local, peer, serviceClass, action, name, log = false, monitor] = row
    return {
      direction,
      local: toIdentity(local),
      peer: toIdentity(peer),
      class: serviceClass,
      action,
      rule: name === 'drop' ? 0 : numberOf(name, action, log, false),
      ...(monitor === undefined ? {} : { monitor: numberOf(monitor[0], monitor[1], monitor[2] ?? false, true) }),
    }
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

/** As in a real plan: the same for the same name, in no order, and no place in a list. */
function ruleNumber(name: string): number {
  let number = 0x811c_9dc5
  for (const byte of Buffer.from(name)) number = Math.imul(number ^ byte, 0x0100_0193) >>> 0
  return number
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
