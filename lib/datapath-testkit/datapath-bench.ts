/** What the table tests need of a driver and its lab, whichever driver it is. */
import type { DatapathEvent, DropReason, EndpointId, HostPlan, Observed, RuleCounter } from '@hyperward/model'
import type { NamespaceEndpoint } from '@hyperward/testkit'

export type Delivery = 'direct' | 'bridge'

export interface TestedDriver {
  reconcile(
    plan: HostPlan | null,
    attachments: readonly TestedAttachment[],
  ): Promise<{
    readonly outcome: 'unchanged' | 'applied' | 'failed'
    readonly reason: string | null
    readonly endpoints: readonly { readonly state: 'enforced' | 'closed' }[]
  }>
  readDrops(): TestedDrops | Promise<TestedDrops>
}

type TestedDrops = Observed<
  readonly { readonly endpoint: EndpointId; readonly reason: DropReason; readonly packets: number }[]
>

export interface TestedAttachment {
  readonly endpoint: EndpointId
  readonly ifindex: number
  readonly device: string
  readonly segment: number
}

export interface LabEndpoint {
  readonly number: number
  readonly namespace: NamespaceEndpoint
  readonly ifindex: number
  /** `direct`: may be handed over directly; `bridge`: always crosses the bridge. */
  attachment(delivery?: Delivery): TestedAttachment
}

export interface DatapathBench {
  readonly driver: TestedDriver
  addEndpoint(number: number, addresses: readonly string[]): Promise<LabEndpoint>
  /** What was told since the last call. */
  events(): DatapathEvent[]
  /** As they are now. */
  counters(): Promise<readonly RuleCounter[]>
  close(): Promise<void>
}

export interface BenchOptions {
  readonly open: () => Promise<DatapathBench>
  readonly deliveries: readonly Delivery[]
}
