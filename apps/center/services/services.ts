import type { Ca } from '@hyperward/pki'
import type { OpenedStore } from '@hyperward/store'

import type { AgentRegistry } from '../channel/agent-registry.ts'
import type { PolicyWorker } from '../policy/policy-worker.ts'
import type { EventBus } from './event-bus.ts'
import type { InventoryView } from './inventory-view.ts'
import type { Migrations } from './migrations.ts'
import type { Publisher } from './publisher.ts'
import type { Recorder } from './recorder.ts'

/** What routes work with. */
export interface Services {
  readonly centerName: string
  readonly software: string
  readonly startedAt: Date
  readonly clock: () => Date
  readonly store: OpenedStore
  readonly ca: Ca
  readonly bus: EventBus
  readonly recorder: Recorder
  readonly inventory: InventoryView
  readonly publisher: Publisher
  readonly registry: AgentRegistry
  readonly migrations: Migrations
  /** For what administrators ask; the publisher's is another, so that neither waits for the other. */
  readonly questionWorker: PolicyWorker
}
