/** What an engine is made of, and how often it looks. */
import type { HostName } from '@hyperward/model'

import type { Connection, ConnectionHandlers } from './channel/channel-client.ts'
import type { EngineDatapath } from './enforce/engine-datapath.ts'
import type { Door, Inspection } from './enforce/enforcer.ts'
import type { MoveOutVm } from './enforce/move-out.ts'
import type { HostIdentity } from './enroll/host-identity.ts'
import type { PlanStore } from './plan/plan-store.ts'
import type { EngineLog } from './report/log-round.ts'
import type { TapLink } from './taps/tap.ts'
import type { VmFollowerOptions } from './taps/vm-follower.ts'

export interface EngineOptions {
  readonly host: HostName
  readonly software: string
  readonly kernel: string
  /** Names this run's numbering of reports: another after each start. */
  readonly stream: string
  readonly datapath: EngineDatapath
  /** Which driver that is, and why this one. */
  readonly driver: { readonly name: string; readonly reason: string }
  /** What this kernel lacks, in one sentence; null = nothing. */
  readonly kernelLacks: string | null
  readonly door: Door
  readonly store: PlanStore
  readonly openLibvirt: VmFollowerOptions['openSession']
  readonly moveOut: MoveOutVm
  readonly links: VmFollowerOptions['links']
  readonly isSameLink: (link: TapLink) => Promise<boolean>
  /** What inspects on this host; default nothing. */
  readonly observeInspection?: () => Promise<Inspection>
  readonly connectCenter: (identity: HostIdentity, handlers: ConnectionHandlers) => Connection
  /** null: not enrolled, or the identity is damaged (told by it failing). Asked again until there is one; enforcement does not wait for it. */
  readonly loadIdentity: () => Promise<HostIdentity | null>
  readonly saveIdentity: (identity: HostIdentity) => Promise<void>
  readonly createKeyAndCsr: () => Promise<{ readonly keyPem: string; readonly csrPem: string }>
  readonly log: EngineLog
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly random: () => number
  /** Keep the certificate fresh; default true. */
  readonly renew?: boolean
  readonly intervals?: Partial<EngineIntervals>
}

/** Milliseconds. */
export interface EngineIntervals {
  /** Looks at libvirt without an event. */
  readonly follow: number
  readonly round: number
  readonly pollEvents: number
  readonly collectExpired: number
  /** A gateway that hangs is down after four of these. */
  readonly probeGateways: number
  readonly verify: number
  readonly status: number
  /** Looks at the saved identity while there is no connection. */
  readonly identity: number
  /** Looks whether the certificate is due. */
  readonly renewal: number
}

/** What changes is told by events and followed at once; the intervals find what no event tells, within 30 s: a look, a round and a read-back each fit in once. */
export const defaultIntervals: EngineIntervals = {
  follow: 12_000,
  round: 12_000,
  pollEvents: 100,
  collectExpired: 5000,
  probeGateways: 150,
  // every second round
  verify: 20_000,
  status: 5000,
  identity: 5000,
  renewal: 60_000,
}
