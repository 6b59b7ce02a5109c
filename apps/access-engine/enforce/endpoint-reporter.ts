/**
 * Turns the rounds' endpoint states into events, each once: an endpoint that stays closed longer than the time a plan needs to arrive is told with its reason,
 * and again only when the reason changes. An endpoint that opens or goes is forgotten.
 */
import type { AgentEvent, EndpointStatus } from '@hyperward/protocol'

export interface EndpointReporterOptions {
  readonly onEvent: (kind: AgentEvent['kind'], message: string, endpoint: string) => void
  readonly now: () => number
  /** A VM that just started waits for its plan; default 3,000. */
  readonly graceMs?: number
}

export interface EndpointReporter {
  onEndpoints(endpoints: readonly EndpointStatus[]): void
}

export function createEndpointReporter(options: EndpointReporterOptions): EndpointReporter {
  const graceMs = options.graceMs ?? 3000
  let closed = new Map<string, { readonly since: number; readonly told: string | null }>()
  return {
    onEndpoints(endpoints) {
      const now = options.now()
      const next: typeof closed = new Map()
      for (const { endpoint, vmName, state, reason } of endpoints) {
        if (state === 'enforced') continue
        const before = closed.get(endpoint) ?? { since: now, told: null }
        const said = reason ?? 'unknown'
        const due = now - before.since >= graceMs && before.told !== said
        if (due) options.onEvent('endpoint-closed', `${vmName}: nothing passes: ${said}`, endpoint)
        next.set(endpoint, { since: before.since, told: due ? said : before.told })
      }
      closed = next
    },
  }
}
