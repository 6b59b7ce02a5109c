import type { DatapathEvent, EndpointId, HostPlan, Observed, RuleCounter } from '@hyperward/model'

import type { Attachment, Datapath } from './enforcer.ts'
import type { DatapathRealized } from './inspect-host.ts'

/** Of drivers/ebpf, all the engine uses. */
export interface EngineDatapath extends Datapath {
  verify(): Promise<Observed<{ readonly drift: readonly string[] }>>
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
    inspect: async () => ({ known: false, reason }),
    readCounters: () => ({ known: true, value: [] }),
    pollEvents: () => ({ known: true, value: 0 }),
    collectExpired: () => ({ known: true, value: 0 }),
    exportConnections: () => ({ known: false, reason }),
    importConnections: () => ({ known: false, reason }),
  }
}
