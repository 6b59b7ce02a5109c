/**
 * What the kernel of this host holds beside the plan it enforces, endpoint by endpoint: the driver's tables and programs, and the doors. Only reads. It knows
 * nothing of what the enforcer believes it has done.
 */
import { known, type EndpointId, type HostPlan, type Observed } from '@hyperward/model'
import type { RealizedEndpointState, RealizedState } from '@hyperward/protocol'

import type { Tap } from '../taps/tap.ts'
import { type Attachment, closedReason, type Door, toAttachment } from './enforcer.ts'

/** Of a driver, what it found. */
export interface DatapathRealized {
  readonly endpoints: readonly {
    readonly endpoint: EndpointId
    readonly device: string
    readonly rows: number
    readonly findings: readonly string[]
  }[]
  readonly tables: readonly RealizedState['tables'][number][]
}

export interface InspectedHost {
  readonly plan: HostPlan | null
  readonly taps: readonly Tap[]
  readonly door: Door
  readonly inspect: (plan: HostPlan | null, attachments: readonly Attachment[]) => Promise<Observed<DatapathRealized>>
}

export async function inspectHost({ plan, taps, door, inspect }: InspectedHost): Promise<Observed<RealizedState>> {
  const attachments = taps.flatMap((tap) => (tap.link === null ? [] : [toAttachment(tap, tap.link)]))
  const found = await inspect(plan, attachments)
  if (!found.known) return found
  const doors = await door.openIndexes()
  if (!doors.known) return doors
  const planned = new Set(plan?.sections.endpoints.map(({ id }) => id))
  const byDevice = new Map(found.value.endpoints.map((one) => [one.device, one]))
  const endpoints = taps.map((tap): RealizedEndpointState => {
    const { endpoint, vmName, link } = tap
    const device = link?.device ?? null
    const isOpen = link !== null && doors.value.has(link.ifindex)
    const read = device === null ? undefined : byDevice.get(device)
    if (link === null || !planned.has(endpoint)) {
      const findings = isOpen ? ['its door is open, though the plan does not name it'] : []
      const state = isOpen ? 'differs' : 'closed'
      return { endpoint, vmName, device, state, reason: closedReason(tap, planned, null), rows: 0, findings }
    }
    const findings = [
      ...(read?.findings ?? ['it was not found']),
      ...(isOpen ? [] : ['its door is shut: nothing passes']),
    ]
    const state = findings.length === 0 ? 'realized' : 'differs'
    return { endpoint, vmName, device, state, reason: null, rows: read?.rows ?? 0, findings }
  })
  return known({
    plan: plan === null ? null : { revision: plan.revision, digest: plan.digest },
    endpoints,
    tables: [...found.value.tables],
  })
}
