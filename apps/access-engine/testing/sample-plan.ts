/** Plans that parse, for tests: made by the compiler's own digest and text functions. */
import {
  defaultDropRef,
  hostPlanFormat,
  parseHostName,
  parseMac,
  parseRevision,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  type EndpointId,
  type HostName,
  type HostPlan,
  type HostPlanSections,
  type Mac,
  type Revision,
  type VmUuid,
} from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { cutSections, digestPlan, planText } from '@hyperward/policy'

export interface SampleVm {
  readonly uuid: VmUuid
  readonly mac: Mac
  readonly endpoint: EndpointId
  readonly name: string
}

/** The nth VM: always the same for the same number. */
export function sampleVm(n: number): SampleVm {
  const hex = n.toString(16).padStart(4, '0')
  const uuid = need(parseVmUuid(`00000000-0000-4000-8000-00000000${hex}`))
  const mac = need(parseMac(`52:54:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`))
  return { uuid, mac, endpoint: toEndpointId(uuid, mac), name: `vm${n}` }
}

export const sampleHost: HostName = need(parseHostName('hwa-host'))

export function toRevision(value: number): Revision {
  return need(parseRevision(value))
}

export function samplePlan(
  revision: number,
  vms: readonly number[],
  host: HostName = sampleHost,
): { readonly plan: HostPlan; readonly text: string } {
  const tenant = need(parseTenantName('acme'))
  const sections: HostPlanSections = {
    endpoints: vms
      .map(sampleVm)
      .map(({ endpoint, uuid, name, mac }) => ({ id: endpoint, vm: uuid, vmName: name, tenant, mac, addresses: [] })),
    zones: vms.length === 0 ? [] : [{ tenant, zone: 1 }],
    addresses: [],
    networks: [],
    services: [],
    verdicts: [],
    rules: [
      {
        number: 0,
        ref: defaultDropRef,
        tier: 'builtin',
        tenant: null,
        policy: 'default',
        name: 'drop',
        action: 'drop',
        log: true,
      },
    ],
  }
  const digest = digestPlan(host, cutSections(sections, sha256Hex), sha256Hex)
  const plan: HostPlan = { format: hostPlanFormat, host, revision: toRevision(revision), digest, sections }
  return { plan, text: planText(plan) }
}

function need<T>(value: T | null): T {
  if (value === null) throw new Error('a sample does not parse')
  return value
}
