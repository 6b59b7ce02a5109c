import type { DatapathEvent, EndpointId, HostPlan, Observed, RuleCounter } from '@hyperward/model'

import type { Attachment, Datapath } from './enforcer.ts'
import type { DatapathRealized } from './inspect-host.ts'

/** Of one gateway: its health, and what went through it. */
export interface GatewayReport {
  readonly name: string
  readonly state: 'up' | 'down'
  readonly draining: boolean
  readonly reason: string | null
  readonly packets: number
  readonly bytes: number
  readonly returned: number
  readonly refused: number
}

/** Of drivers/ebpf and drivers/nftables-endpoint, all the engine uses. */
export interface EngineDatapath extends Datapath {
  verify(): Promise<Observed<{ readonly drift: readonly string[] }>>
  probeGateways(): Observed<readonly GatewayReport[]>
  inspect(plan: HostPlan | null, attachments: readonly Attachment[]): Promise<Observed<DatapathRealized>>
  readCounters(): Observed<readonly RuleCounter[]>
  pollEvents(onEvent: (event: DatapathEvent) => void): Observed<number>
  collectExpired(): Observed<number>
  exportConnections(endpoints: readonly EndpointId[]): Observed<Buffer>
  importConnections(plan: HostPlan, endpoints: readonly EndpointId[], carried: Buffer): Observed<number>
}

/** For hosts whose kernel cannot run the driver: everything stays closed, with the reason. */
export function createClosedDatapath(reason: string): EngineDatapath {
  return {
    async reconcile(_plan: HostPlan | null, attachments) {
      const endpoints = attachments.map(({ endpoint, device }) => ({
        endpoint,
        device,
        state: 'closed' as const,
        reason,
      }))
      return { outcome: 'failed', reason, steps: 0, endpoints }
    },
    verify: async () => ({ known: false, reason }),
    probeGateways: () => ({ known: true, value: [] }),
    inspect: async () => ({ known: false, reason }),
    readCounters: () => ({ known: true, value: [] }),
    pollEvents: () => ({ known: true, value: 0 }),
    collectExpired: () => ({ known: true, value: 0 }),
    exportConnections: () => ({ known: false, reason }),
    importConnections: () => ({ known: false, reason }),
  }
}
