/** Who is connected: one connection a host, the newer in the older's place. */
import type { OperationErrorCode } from '@hyperward/model'

import type { AgentAsking } from './agent-questions.ts'

export interface AgentConnection extends AgentAsking {
  readonly host: string
  /** False until the agent said hello: nothing is announced before. */
  readonly announce: (revision: number, digest: string) => boolean
  /** Says why and closes. */
  readonly cut: (code: OperationErrorCode, message: string) => void
}

export interface AgentRegistry {
  add(connection: AgentConnection): void
  /** Only if it is still this one: a replaced connection leaves its successor alone. */
  remove(connection: AgentConnection): void
  find(host: string): AgentConnection | null
  connected(): ReadonlySet<string>
  all(): readonly AgentConnection[]
}

export function createAgentRegistry(): AgentRegistry {
  const connections = new Map<string, AgentConnection>()
  return {
    add(connection) {
      const older = connections.get(connection.host)
      connections.set(connection.host, connection)
      older?.cut('agent.replaced', 'the same host connected again')
    },
    remove(connection) {
      if (connections.get(connection.host) === connection) connections.delete(connection.host)
    },
    find: (host) => connections.get(host) ?? null,
    connected: () => new Set(connections.keys()),
    all: () => [...connections.values()],
  }
}
