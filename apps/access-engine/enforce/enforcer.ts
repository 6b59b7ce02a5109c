/**
 * One round of enforcement on this host: the plan held and the taps found become attached programs and open doors, in an order in which every instant fails
 * closed: a door closes before its program is touched, and opens only after the driver has said `enforced`.
 *
 * What cannot be read changes nothing: with libvirt silent the taps known before stay as they are (those whose device is still the same), with the saved plan
 * damaged the drivers are not asked at all. Neither opens anything.
 */
import { assertNever, type EndpointId, type HostPlan, type Observed, type Revision } from '@hyperward/model'
import type { EndpointStatus } from '@hyperward/protocol'
import type { Round } from '@hyperward/reconciler'

import type { HeldPlan } from '../plan/plan-store.ts'
import type { Tap, TapLink } from '../taps/tap.ts'

/** Of drivers/ebpf and drivers/nftables-endpoint, what a round needs. */
export interface Datapath {
  reconcile(plan: HostPlan | null, attachments: readonly Attachment[], inspection?: Inspection): Promise<DatapathReport>
}

export interface Attachment {
  readonly endpoint: EndpointId
  readonly ifindex: number
  readonly device: string
  readonly segment: number
}

/** What inspects on this host, and where it is plugged in now. */
export interface Inspection {
  readonly gateways: readonly {
    readonly name: string
    readonly inside: GatewayPort
    readonly outside: GatewayPort
    readonly profiles: readonly string[]
    readonly draining: boolean
  }[]
  readonly failOpen: readonly string[]
}

export interface GatewayPort {
  readonly device: string
  /** null = not there now. */
  readonly ifindex: number | null
}

export interface DatapathReport {
  readonly outcome: 'unchanged' | 'applied' | 'failed'
  readonly reason: string | null
  readonly steps: number
  readonly endpoints: readonly {
    readonly endpoint: EndpointId
    readonly device: string
    readonly state: 'enforced' | 'closed'
    readonly reason: string | null
  }[]
}

/** Of drivers/nftables: the standing rule that drops all from and to a tap whose ifindex is not in its set. Each fails by throwing. */
export interface Door {
  openIndexes(): Promise<Observed<ReadonlySet<number>>>
  open(ifindex: number): Promise<void>
  close(ifindex: number): Promise<void>
}

export interface EnforcerOptions {
  readonly datapath: Datapath
  readonly door: Door
  readonly held: () => HeldPlan
  readonly observeTaps: () => Promise<Observed<readonly Tap[]>>
  /** Whether the device of that name still is the one with that ifindex. */
  readonly isSameLink: (link: TapLink) => Promise<boolean>
  readonly observeInspection: () => Promise<Inspection>
}

export interface EnforceRound extends Round {
  readonly revision: Revision | null
  readonly endpoints: readonly EndpointStatus[]
  readonly steps: number
  readonly opened: number
  readonly closed: number
}

export interface Enforcer {
  round(): Promise<EnforceRound>
  /** What the last round that could enforced, on the taps found then; null before. Not to be asked during a round. */
  lastEnforced(): { readonly plan: HostPlan | null; readonly taps: readonly Tap[] } | null
}

export function createEnforcer(options: EnforcerOptions): Enforcer {
  let lastTaps: readonly Tap[] | null = null
  let enforced: { readonly plan: HostPlan | null; readonly taps: readonly Tap[] } | null = null

  async function round(): Promise<EnforceRound> {
    const observed = await options.observeTaps()
    if (observed.known) lastTaps = observed.value
    const taps = await stillThere(observed.known ? observed.value : (lastTaps ?? []))
    const held = options.held()
    switch (held.kind) {
      case 'unreadable':
        return keepLoaded(taps, held)
      case 'none':
      case 'held': {
        if (!observed.known && lastTaps === null) return nothingKnown(observed.reason, held)
        const done = await enforce(held.kind === 'held' ? held : null, taps)
        if (observed.known) return done
        // the plan is in force on what is known; the rest of the truth is missing, and the round says so
        const outcome = done.outcome === 'failed' ? 'failed' : 'kept'
        return { ...done, outcome, reason: joinReasons(observed.reason, done.reason) }
      }
      default:
        return assertNever(held)
    }
  }

  /** What was looked up a moment ago may be gone: a name is used only while it names the same device. */
  async function stillThere(taps: readonly Tap[]): Promise<readonly Tap[]> {
    const checked: Tap[] = []
    for (const tap of taps) {
      const there = tap.link !== null && (await options.isSameLink(tap.link))
      checked.push(there ? tap : { ...tap, link: null })
    }
    return checked
  }

  async function enforce(
    held: Extract<HeldPlan, { kind: 'held' }> | null,
    taps: readonly Tap[],
  ): Promise<EnforceRound> {
    const planned = new Set(held?.plan.sections.endpoints.map((endpoint) => endpoint.id))
    const doors = createDoorKeeper(options.door, await options.door.openIndexes())
    const present = taps.flatMap((tap) => (tap.link === null ? [] : [toAttachment(tap, tap.link)]))
    const guarded = new Set(present.flatMap((tap) => (planned.has(tap.endpoint) ? [tap.ifindex] : [])))
    await doors.closeAllBut(guarded, present)

    const report = await options.datapath.reconcile(held?.plan ?? null, present, await options.observeInspection())
    if (report.outcome !== 'failed') enforced = { plan: held?.plan ?? null, taps }
    const told = new Map(report.endpoints.map((endpoint) => [endpoint.endpoint, endpoint]))
    const endpoints: EndpointStatus[] = []
    for (const tap of taps) {
      const said = told.get(tap.endpoint)
      const isEnforced = said?.state === 'enforced' && tap.link !== null && guarded.has(tap.link.ifindex)
      const doorFailure = tap.link === null ? null : await doors.set(tap.link.ifindex, isEnforced)
      endpoints.push({
        endpoint: tap.endpoint,
        vmName: tap.vmName,
        device: tap.link?.device ?? null,
        state: isEnforced && doorFailure === null ? 'enforced' : 'closed',
        reason: doorFailure ?? (isEnforced ? null : closedReason(tap, planned, said?.reason ?? report.reason)),
      })
    }
    const failures = doors.failures()
    return {
      outcome: failures.length > 0 ? 'failed' : doors.moved() > 0 ? worse(report.outcome) : report.outcome,
      reason: joinReasons(report.reason, failures[0] ?? null),
      revision: held?.revision ?? null,
      endpoints,
      steps: report.steps,
      opened: doors.opened(),
      closed: doors.closed(),
    }
  }

  /** The saved plan is damaged: the doors tell what was guarded before; that stays, and nothing else opens. */
  async function keepLoaded(
    taps: readonly Tap[],
    held: Extract<HeldPlan, { kind: 'unreadable' }>,
  ): Promise<EnforceRound> {
    const open = await options.door.openIndexes()
    const endpoints = taps.map((tap): EndpointStatus => {
      const kept = open.known && tap.link !== null && open.value.has(tap.link.ifindex)
      return {
        endpoint: tap.endpoint,
        vmName: tap.vmName,
        device: tap.link?.device ?? null,
        state: kept ? 'enforced' : 'closed',
        reason: kept ? 'plan-unreadable: what was loaded before stays' : 'plan-unreadable',
      }
    })
    const reason = `the saved plan cannot be read: ${held.reason}`
    return { outcome: 'kept', reason, revision: held.revision, endpoints, steps: 0, opened: 0, closed: 0 }
  }

  return { round, lastEnforced: () => enforced }
}

function nothingKnown(reason: string, held: HeldPlan): EnforceRound {
  const revision = held.kind === 'held' ? held.revision : null
  return { outcome: 'kept', reason, revision, endpoints: [], steps: 0, opened: 0, closed: 0 }
}

export function toAttachment(tap: Tap, link: TapLink): Attachment {
  return { endpoint: tap.endpoint, ifindex: link.ifindex, device: link.device, segment: link.segment }
}

export function closedReason(tap: Tap, planned: ReadonlySet<EndpointId>, said: string | null): string {
  if (tap.unguardable !== null) return `unguardable: ${tap.unguardable}`
  if (tap.link === null) return 'no-device'
  if (!tap.claimed && !planned.has(tap.endpoint)) return 'no-tenant'
  if (!planned.has(tap.endpoint)) return 'no-plan'
  return said ?? 'the driver did not confirm it'
}

function worse(outcome: DatapathReport['outcome']): DatapathReport['outcome'] {
  return outcome === 'unchanged' ? 'applied' : outcome
}

function joinReasons(first: string | null, second: string | null): string | null {
  return first !== null && second !== null ? `${first}; ${second}` : (first ?? second)
}

interface DoorKeeper {
  /** Those open, or, when that is not known, all those present. */
  closeAllBut(keep: ReadonlySet<number>, present: readonly Attachment[]): Promise<void>
  /** Why the door does not stand as wanted, or null. */
  set(ifindex: number, open: boolean): Promise<string | null>
  opened(): number
  closed(): number
  moved(): number
  failures(): readonly string[]
}

/** When the doors cannot be read, each close is done anyway (closing twice harms nobody) and an open only where it was asked for. */
function createDoorKeeper(door: Door, observed: Observed<ReadonlySet<number>>): DoorKeeper {
  const open = observed.known ? new Set(observed.value) : null
  const failures: string[] = []
  let opened = 0
  let closed = 0

  async function move(ifindex: number, to: 'open' | 'close'): Promise<string | null> {
    try {
      if (to === 'open') {
        await door.open(ifindex)
        open?.add(ifindex)
        opened += 1
      } else {
        await door.close(ifindex)
        open?.delete(ifindex)
        closed += 1
      }
      return null
    } catch (error) {
      const reason = `door of ifindex ${ifindex} did not ${to}: ${error instanceof Error ? error.message : String(error)}`
      failures.push(reason)
      return reason
    }
  }

  if (!observed.known) failures.push(`the doors cannot be read: ${observed.reason}`)
  return {
    async closeAllBut(keep, present) {
      const candidates = open === null ? present.map((tap) => tap.ifindex) : [...open]
      for (const ifindex of candidates) if (!keep.has(ifindex)) await move(ifindex, 'close')
    },
    async set(ifindex, wanted) {
      // an unreadable door is not opened: the round fails, and the next one looks again
      if (open === null) return wanted ? 'the doors cannot be read' : move(ifindex, 'close')
      if (open.has(ifindex) === wanted) return null
      return move(ifindex, wanted ? 'open' : 'close')
    },
    opened: () => opened,
    closed: () => closed,
    moved: () => opened + closed,
    failures: () => failures,
  }
}
