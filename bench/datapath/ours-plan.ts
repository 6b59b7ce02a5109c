/**
 * A host's plan of the size that is measured: an identity and an address for every endpoint, and the same four allow rules each as the peers load.
 * Two endpoints are on this host. The verdict rows of all are loaded all the same, as if they were, so that the tables are as large as the peers'.
 */
import {
  anyIdentity,
  defaultDropRef,
  hostPlanFormat,
  parseAddress,
  parseDigest,
  parseHostName,
  parseMac,
  parseRevision,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  toIdentity,
  toRuleRef,
  type EndpointId,
  type HostPlan,
  type HostPlanSections,
  type Identity,
  type PlannedEndpoint,
  type PlannedRule,
  type ServiceClass,
  type TenantName,
  type Verdict,
} from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'

import { allowedServices, makeEndpoints, receiverEndpoint, senderEndpoint, type BenchEndpoint } from './endpoints.ts'

/** As many rules as a large policy has; endpoints share them, as groups do. */
const mostRules = 2000
const protocolNumbers = { tcp: 6, udp: 17 } as const

export const benchHost = known(parseHostName('bench'))

export function makeBenchPlan(size: number): HostPlan {
  const tenant = known(parseTenantName('bench'))
  const endpoints = makeEndpoints(size)
  const rules = makeRules(tenant, Math.min(mostRules, size * allowedServices.length))
  const sections: HostPlanSections = {
    endpoints: [senderEndpoint, receiverEndpoint]
      .map((endpoint) => toPlannedEndpoint(endpoint, tenant))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    zones: [{ tenant, zone: 1 }],
    addresses: endpoints
      .map((endpoint) => ({ address: known(parseAddress(endpoint.address)), identity: identityOf(endpoint) }))
      .toSorted((a, b) => (a.address < b.address ? -1 : 1)),
    networks: [],
    services: makeServices(),
    verdicts: makeVerdicts(endpoints, rules.length),
    rules,
  }
  return {
    format: hostPlanFormat,
    host: benchHost,
    revision: known(parseRevision(1)),
    digest: known(parseDigest(sha256Hex(JSON.stringify(sections)))),
    sections,
  }
}

export function toBenchEndpointId(endpoint: BenchEndpoint): EndpointId {
  return toEndpointId(vmOf(endpoint), known(parseMac(endpoint.mac)))
}

function toPlannedEndpoint(endpoint: BenchEndpoint, tenant: TenantName): PlannedEndpoint {
  return {
    id: toBenchEndpointId(endpoint),
    vm: vmOf(endpoint),
    vmName: endpoint.device,
    tenant,
    mac: known(parseMac(endpoint.mac)),
    addresses: [known(parseAddress(endpoint.address))],
  }
}

/** The whole range of both protocols, cut where a rule names a port; class 0 is what no rule names. */
function makeServices(): readonly ServiceClass[] {
  return Object.entries(protocolNumbers)
    .toSorted(([, a], [, b]) => a - b)
    .flatMap(([protocol, number]) =>
      allowedServices
        .map((service, index) => ({ service, index }))
        .filter(({ service }) => service.protocol === protocol)
        .toSorted((a, b) => a.service.port - b.service.port)
        .map(({ service, index }) => ({
          protocol: number,
          from: service.port,
          to: service.port,
          class: classOf(index),
        })),
    )
}

function makeVerdicts(endpoints: readonly BenchEndpoint[], rules: number): readonly Verdict[] {
  const sender = identityOf(senderEndpoint)
  const ingress = endpoints
    .toSorted((a, b) => a.number - b.number)
    .flatMap((endpoint) =>
      allowedServices.map((_, index): Verdict => ({
        direction: 'ingress',
        local: identityOf(endpoint),
        peer: sender,
        class: classOf(index),
        action: 'allow',
        // 0 is the default drop
        rule: 1 + ((endpoint.number * allowedServices.length + index) % (rules - 1)),
      })),
    )
  const egress: Verdict = { direction: 'egress', local: sender, peer: anyIdentity, class: 0, action: 'allow', rule: 1 }
  return [egress, ...ingress]
}

function makeRules(tenant: TenantName, count: number): readonly PlannedRule[] {
  const drop: PlannedRule = {
    number: 0,
    ref: defaultDropRef,
    tier: 'builtin',
    tenant: null,
    policy: 'default',
    name: 'drop',
    action: 'drop',
    log: false,
  }
  const allow = Array.from({ length: count }, (_, index): PlannedRule => {
    const name = `rule-${index + 1}`
    const ref = toRuleRef('tenant', tenant, 'bench', name)
    return { number: index + 1, ref, tier: 'tenant', tenant, policy: 'bench', name, action: 'allow', log: false }
  })
  return [drop, ...allow]
}

function classOf(serviceIndex: number): number {
  return serviceIndex + 1
}

/** 0 and 1 have a meaning of their own. */
function identityOf(endpoint: BenchEndpoint): Identity {
  return toIdentity(endpoint.number + 1)
}

function vmOf(endpoint: BenchEndpoint): ReturnType<typeof parseVmUuid> & string {
  return known(parseVmUuid(`00000000-0000-4000-8000-${endpoint.number.toString(16).padStart(12, '0')}`))
}

function known<T>(value: T | null): T {
  if (value === null) throw new Error('the bench made a name that its parser refuses')
  return value
}
