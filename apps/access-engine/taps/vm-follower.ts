/**
 * Follows the VMs of this host: one libvirt session, its events, and a look at all running VMs after each event and every few seconds anyway. Keeps the last
 * answer, so that enforcing a plan never waits for libvirt. While libvirt is away or silent the answer is unknown, never empty.
 */
import { known, unknown, type Observed } from '@hyperward/model'
import { createReconciler, type Round } from '@hyperward/reconciler'

import type { FollowedVm } from './followed-vm.ts'
import type { Tap } from './tap.ts'
import { toTaps, type LinkReader } from './to-taps.ts'

/** One connection to libvirt that told its version and takes subscriptions. Its calls end by themselves within a time limit. */
export interface LibvirtSession {
  observe(): Promise<Observed<readonly FollowedVm[]>>
  close(): void
}

export interface LibvirtSessionHandlers {
  /** Something about the VMs may have changed. */
  readonly onChange: (cause: string) => void
  readonly onClosed: (reason: string) => void
}

export interface VmFollowerOptions {
  /** Fails when libvirt does not answer in time. */
  readonly openSession: (handlers: LibvirtSessionHandlers) => Promise<LibvirtSession>
  readonly links: LinkReader
  /** After each look, and when libvirt is lost. */
  readonly onObserved: (cause: string) => void
  readonly onLost: (reason: string) => void
  readonly onBack: () => void
  /** A look that threw: a bug. */
  readonly onBug: (error: unknown) => void
  readonly intervalMs?: number
  readonly now: () => number
  readonly random: () => number
}

export interface Followed {
  readonly vms: readonly FollowedVm[]
  readonly taps: readonly Tap[]
}

export interface VmFollower {
  start(): void
  current(): Observed<Followed>
  stop(): Promise<void>
}

export function createVmFollower(options: VmFollowerOptions): VmFollower {
  let session: LibvirtSession | null = null
  let current: Observed<Followed> = unknown('libvirt was not asked yet')
  let lost: string | null = null
  let lastVms: readonly FollowedVm[] = []

  const loop = createReconciler<Round>({
    round: look,
    onRound(report) {
      if (report.error !== null) options.onBug(report.error)
      if (report.outcome === 'failed') lose(report.reason ?? 'libvirt does not answer')
      options.onObserved(report.causes.join(' '))
    },
    intervalMs: options.intervalMs ?? 5000,
    // one start of a VM makes a handful of events within milliseconds
    coalesceMs: 5,
    backoff: { minMs: 250, maxMs: 5000 },
    now: options.now,
    random: options.random,
  })

  async function look(): Promise<Round> {
    try {
      session ??= await openSession()
    } catch (error) {
      return { outcome: 'failed', reason: error instanceof Error ? error.message : String(error) }
    }
    const observed = await observeTwiceIfUnsure(session)
    if (!observed.known) {
      session.close()
      session = null
      return { outcome: 'failed', reason: observed.reason }
    }
    current = observed
    lastVms = observed.value.vms
    if (lost !== null) options.onBack()
    lost = null
    return { outcome: 'unchanged', reason: null }
  }

  async function openSession(): Promise<LibvirtSession> {
    const opened: { session: LibvirtSession | null } = { session: null }
    opened.session = await options.openSession({
      onChange: (cause) => loop.trigger(cause),
      onClosed(reason) {
        if (session === null || session !== opened.session) return
        session = null
        lose(reason)
        loop.trigger('libvirt-closed')
      },
    })
    return opened.session
  }

  /**
   * A device name is only a name: between libvirt's answer and our look at the device, the VM may have gone and another have got its name. libvirt gives a tap
   * the guest's MAC with another first byte, which settles it. Where that is not so (a tap made by someone else) asking and looking again does: the kernel gives
   * no ifindex twice, so a device seen before and after libvirt's second answer is the one that answer is about.
   */
  async function observeTwiceIfUnsure(from: LibvirtSession): Promise<Observed<Followed>> {
    const first = await observeOnce(from)
    if (!first.known || first.value.unsure.size === 0) return first
    const second = await observeOnce(from)
    if (!second.known) return second
    const before = new Set(first.value.taps.map((tap) => `${tap.endpoint} ${tap.link?.device} ${tap.link?.ifindex}`))
    const taps = second.value.taps.map((tap) => {
      const sure = !second.value.unsure.has(tap.endpoint)
      return sure || before.has(`${tap.endpoint} ${tap.link?.device} ${tap.link?.ifindex}`)
        ? tap
        : { ...tap, link: null }
    })
    return known({ vms: second.value.vms, taps })
  }

  async function observeOnce(from: LibvirtSession): Promise<Observed<Followed & { unsure: ReadonlySet<string> }>> {
    const observed = await from.observe()
    if (!observed.known) return observed
    const vms = observed.value.map(keepUnreadable)
    const resolved = await toTaps(vms, options.links)
    return resolved.known ? known({ vms, ...resolved.value }) : resolved
  }

  /** A VM that cannot be read any more keeps what was read of it before. */
  function keepUnreadable(vm: FollowedVm): FollowedVm {
    if (!vm.unreadable) return vm
    const before = lastVms.find((one) => one.uuid === vm.uuid)
    return before === undefined ? vm : { ...before, problems: vm.problems, unreadable: true }
  }

  function lose(reason: string): void {
    current = unknown(reason)
    if (lost === null) options.onLost(reason)
    lost = reason
  }

  return {
    start: () => loop.start(),
    current: () => current,
    async stop() {
      session?.close()
      await loop.stop()
    },
  }
}
