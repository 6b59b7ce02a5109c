/**
 * What the maps should say, from plan and attachments. Large sections are the plan's own arrays, not copies: the cost of a change is then the cost of the change.
 */
import {
  type Action,
  type Address,
  type AddressIdentity,
  type EndpointId,
  type HostPlan,
  type Mac,
  type PlannedRule,
  type PrefixIdentity,
  type RuleRef,
  type ServiceClass,
  type Verdict,
} from '@hyperward/model'

import { toLocalAddresses } from './local-addresses.ts'

/** Where an endpoint is plugged in. */
export interface Attachment {
  readonly endpoint: EndpointId
  readonly ifindex: number
  readonly device: string
  /** ifindex of the bridge; 0 = none: nothing is delivered directly. */
  readonly segment: number
}

/** What the datapath must know of a rule; a plan's rules are such. */
export interface RuleLabel {
  readonly ref: RuleRef
  readonly action: Action
  readonly log: boolean
  readonly logRate?: number
}

/** The tables of one generation. */
export interface Tables {
  readonly addresses: readonly AddressIdentity[]
  readonly networks: readonly PrefixIdentity[]
  readonly services: readonly ServiceClass[]
  readonly verdicts: readonly Verdict[]
  /** By {@link Verdict.rule} and {@link Verdict.monitor}; 0 decides where no verdict does. */
  readonly rules: ReadonlyMap<number, RuleLabel>
  /** Addresses whose endpoint is on this host, and its tap. */
  readonly owners: ReadonlyMap<Address, number>
}

export interface EndpointRow {
  readonly ifindex: number
  readonly endpoint: EndpointId
  readonly mac: Mac
  readonly zone: number
  readonly segment: number
  /** Guarded, and nothing passes. */
  readonly closed: boolean
}

export interface Desired {
  /** null without a plan. */
  readonly tables: Tables | null
  readonly endpoints: ReadonlyMap<number, EndpointRow>
  /** Why an endpoint is closed, by ifindex. */
  readonly closedBecause: ReadonlyMap<number, string>
}

/** Without a plan every attachment is closed. */
export function toDesired(plan: HostPlan | null, attachments: readonly Attachment[]): Desired {
  const sections = plan?.sections
  const planned = new Map(sections?.endpoints.map((endpoint) => [endpoint.id, endpoint]))
  const zones = new Map(sections?.zones.map((zone) => [zone.tenant, zone.zone]))
  const owners = new Map<Address, number>()
  const endpoints = new Map<number, EndpointRow>()
  const closedBecause = new Map<number, string>()
  const seen = new Set<EndpointId>()
  for (const attachment of [...attachments].sort((a, b) => a.ifindex - b.ifindex)) {
    const { ifindex, segment, endpoint: id } = attachment
    const endpoint = planned.get(id)
    const zone = endpoint === undefined ? undefined : zones.get(endpoint.tenant)
    const reason =
      plan === null
        ? 'this host has no plan'
        : endpoint === undefined
          ? 'the plan does not name this endpoint'
          : zone === undefined
            ? `the plan has no zone for tenant ${endpoint.tenant}`
            : seen.has(id)
              ? 'the endpoint is attached to another tap too'
              : null
    if (reason !== null || endpoint === undefined || zone === undefined) {
      closedBecause.set(ifindex, reason ?? 'the plan does not name this endpoint')
      endpoints.set(ifindex, { ifindex, endpoint: id, mac: macOf(id), zone: 0, segment, closed: true })
      continue
    }
    seen.add(id)
    endpoints.set(ifindex, { ifindex, endpoint: id, mac: endpoint.mac, zone, segment, closed: false })
    for (const address of endpoint.addresses) owners.set(address, ifindex)
  }
  if (sections === undefined) return { tables: null, endpoints, closedBecause }
  return {
    tables: {
      addresses: toLocalAddresses(sections, owners),
      networks: sections.networks,
      services: sections.services,
      verdicts: sections.verdicts,
      rules: toRuleLabels(sections.rules),
      owners,
    },
    endpoints,
    closedBecause,
  }
}

export function toRuleLabels(rules: readonly PlannedRule[]): ReadonlyMap<number, RuleLabel> {
  return new Map(rules.map((rule) => [rule.number, rule]))
}

/** An endpoint's id ends with its MAC (core/model/ids.ts). */
function macOf(id: EndpointId): Mac {
  return id.slice(id.indexOf('/') + 1) as Mac
}
