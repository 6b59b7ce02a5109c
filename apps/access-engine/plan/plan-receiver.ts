/**
 * From an announced plan to a plan in force: fetches what of it is not held, has it verified and saved, has it enforced, and tells the center how that went.
 * One plan at a time, always the newest announced. What was refused for a reason that may pass (a full disk, a damaged transfer) is asked for again.
 */
import {
  assertNever,
  hostPlanFormat,
  OperationError,
  parseDigest,
  parseRevision,
  type Digest,
  type HostName,
  type Revision,
} from '@hyperward/model'
import {
  assemblePlanText,
  createPlanFetch,
  type AgentEvent,
  type AgentMessage,
  type CenterMessage,
  type FetchStep,
  type PlanMessage,
} from '@hyperward/protocol'
import type { RoundReport } from '@hyperward/reconciler'

import type { EnforceRound } from '../enforce/enforcer.ts'
import { digestTold, toHeldSections } from './held-sections.ts'
import type { PlanAnnouncement, PlanStore } from './plan-store.ts'

export interface PlanReceiverOptions {
  readonly host: HostName
  readonly store: PlanStore
  readonly sha256: (text: string) => string
  readonly send: (message: AgentMessage) => boolean
  /** A round that begins after the call. */
  readonly requestRound: () => Promise<RoundReport<EnforceRound>>
  readonly onEvent: (kind: AgentEvent['kind'], message: string) => void
  readonly now: () => number
  readonly retryMs?: number
}

export interface PlanReceiver {
  onAnnounced(message: Extract<CenterMessage, { kind: 'plan-available' }>): void
  onPlanMessage(message: PlanMessage): Promise<void>
  /** After each round: a plan reported as failed may be in force by now. */
  onRound(report: RoundReport<EnforceRound>): void
  /** What was asked for will not come: the connection is gone, or the center has it no more. */
  onNoAnswer(): void
  stop(): void
}

type PlanResult = Extract<AgentMessage, { kind: 'plan-result' }>

export function createPlanReceiver(options: PlanReceiverOptions): PlanReceiver {
  const { store, host, sha256, now } = options
  const fetch = createPlanFetch({
    sha256,
    digestPlan: (sections) => digestTold(host, sections, sha256),
    held() {
      const held = store.held()
      return held.kind === 'held' ? toHeldSections(held.plan, sha256) : null
    },
  })
  let wanted: (PlanAnnouncement & { readonly announcedAt: number }) | null = null
  let failedResult: PlanResult | null = null
  let retry: NodeJS.Timeout | null = null

  function heldDigest(): Digest | null {
    const held = store.held()
    return held.kind === 'held' ? held.plan.digest : null
  }

  function ask(): void {
    if (wanted === null || fetch.asking() === wanted.digest) return
    if (!options.send(fetch.begin(wanted.digest))) fetch.pause()
  }

  function askLater(): void {
    if (retry !== null) return
    retry = setTimeout(() => {
      retry = null
      ask()
    }, options.retryMs ?? 30_000)
  }

  function tell(announced: PlanAnnouncement, outcome: PlanResult['outcome'], reason: string | null, ms: number): void {
    const { revision, digest } = announced
    const result: PlanResult = { kind: 'plan-result', revision, digest, outcome, reason, appliedInMs: Math.max(0, ms) }
    failedResult = outcome === 'failed' ? result : null
    options.send(result)
  }

  function refuse(announced: PlanAnnouncement, error: OperationError, ms: number): void {
    const reason = `${error.code}: ${error.message}`
    options.onEvent('plan-refused', `revision ${announced.revision}: ${reason}`)
    tell(announced, 'refused', reason.slice(0, 4000), ms)
  }

  async function announce(announced: PlanAnnouncement): Promise<void> {
    const begun = now()
    try {
      store.checkNotOlder(announced)
      if (heldDigest() !== announced.digest) {
        wanted = { ...announced, announcedAt: begun }
        return ask()
      }
      wanted = null
      await store.advance(announced.revision)
      await enforce(announced, begun)
    } catch (error) {
      if (!(error instanceof OperationError)) throw error
      refuse(announced, error, now() - begun)
    }
  }

  async function enforce(announced: PlanAnnouncement, begun: number): Promise<void> {
    const report = await options.requestRound()
    // `kept`: the plan is in force where the taps are known; where they are not nothing is open
    if (report.outcome === 'failed' || report.outcome === 'kept') {
      return tell(announced, 'failed', report.reason, now() - begun)
    }
    tell(announced, 'applied', null, now() - begun)
    options.onEvent('plan-applied', `revision ${announced.revision} is in force`)
  }

  /** Something of it is not what its digest says; nothing of that was taken. */
  function onBroken({ code, reason }: Extract<FetchStep, { kind: 'refused' }>): void {
    if (wanted === null) return
    const message = `${reason}; the plan held before stays in force`
    refuse(wanted, new OperationError(code, message, { host }), now() - wanted.announcedAt)
    askLater()
  }

  async function onWhole({ digest, revision, bodies }: Extract<FetchStep, { kind: 'done' }>): Promise<void> {
    // while it came a newer one was announced
    if (wanted === null || wanted.digest !== digest) return ask()
    const { announcedAt: begun, ...announced } = wanted
    try {
      await store.accept(assemblePlanText({ format: hostPlanFormat, host, revision, digest }, bodies), announced)
    } catch (error) {
      if (!(error instanceof OperationError)) throw error
      refuse(announced, error, now() - begun)
      // what is too old stays too old; a full disk may pass, and what arrived is not sent again
      if (error.code === 'plan.stale') wanted = null
      else askLater()
      return
    }
    fetch.clear()
    if (wanted?.digest === announced.digest) wanted = null
    await enforce(announced, begun)
    ask()
  }

  return {
    onAnnounced(message) {
      void announce(toAnnouncement(message)).catch((error: unknown) => options.onEvent('plan-refused', String(error)))
    },
    async onPlanMessage(message) {
      const step = fetch.onMessage(message)
      switch (step.kind) {
        case 'wait':
          return
        case 'ask':
          if (!options.send(step.message)) fetch.pause()
          return
        case 'refused':
          return onBroken(step)
        case 'done':
          return onWhole(step)
        default:
          return assertNever(step)
      }
    },
    onRound(report) {
      if (failedResult === null || report.outcome === 'failed' || report.outcome === 'kept') return
      if (failedResult.digest !== heldDigest()) return
      const { revision, digest, appliedInMs } = failedResult
      tell({ revision: toRevision(revision), digest: toDigest(digest) }, 'applied', null, appliedInMs)
    },
    onNoAnswer() {
      fetch.pause()
    },
    stop() {
      if (retry !== null) clearTimeout(retry)
    },
  }
}

function toAnnouncement(message: { readonly revision: number; readonly digest: string }): PlanAnnouncement {
  return { revision: toRevision(message.revision), digest: toDigest(message.digest) }
}

function toRevision(value: number): Revision {
  const revision = parseRevision(value)
  if (revision === null) throw new Error(`the protocol let a wrong revision through: ${value}`)
  return revision
}

function toDigest(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === null) throw new Error(`the protocol let a wrong digest through: ${text}`)
  return digest
}
