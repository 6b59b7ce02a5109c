/** Tells when a gateway comes or goes, and remembers what was last known of each. */
import type { Observed } from '@hyperward/model'

import type { GatewayReport } from '../enforce/engine-datapath.ts'

export interface GatewayWatchOptions {
  readonly probe: () => Observed<readonly GatewayReport[]>
  readonly tell: (kind: 'gateway-down' | 'gateway-up', message: string) => void
  readonly onUnknown: (reason: string) => void
  readonly now: () => number
  /** A gateway that was never up is told down only after it had this long to come up. */
  readonly graceMs: number
}

export interface GatewayWatch {
  /** One round of probes. */
  look(): void
  last(): readonly GatewayReport[]
}

export function createGatewayWatch(options: GatewayWatchOptions): GatewayWatch {
  let last: readonly GatewayReport[] = []
  const seen = new Map<string, { readonly since: number; told: GatewayReport['state'] | null }>()
  let unknown: string | null = null

  return {
    look() {
      const probed = options.probe()
      if (!probed.known) {
        if (probed.reason !== unknown) options.onUnknown(probed.reason)
        unknown = probed.reason
        return
      }
      unknown = null
      last = probed.value
      for (const { name, state, reason } of last) {
        const known = seen.get(name) ?? { since: options.now(), told: null }
        seen.set(name, known)
        if (known.told === state) continue
        if (state === 'down' && known.told === null && options.now() - known.since < options.graceMs) continue
        known.told = state
        if (state === 'up') options.tell('gateway-up', `gateway ${name} inspects: a probe comes through it, both ways`)
        else options.tell('gateway-down', `gateway ${name} does not inspect: ${reason ?? 'unknown'}`)
      }
    },
    last: () => last,
  }
}
