/**
 * The plan this host holds, in the state directory: `plan.json` is the plan's text exactly as it was digested, `plan-floor.json` the newest revision ever held.
 * The floor stands apart, so that a damaged plan does not open the way for an older one. Both are replaced as a whole and synced before a plan is applied.
 */
import { join } from 'node:path'

import {
  OperationError,
  parseRevision,
  type Digest,
  type HostName,
  type HostPlan,
  type Revision,
} from '@hyperward/model'
import type { Observed } from '@hyperward/model'
import type { ParsedPlan, PlanErrorCode } from '@hyperward/policy'

/** `unreadable` is not `none`: what the kernel holds stays, and nothing opens. */
export type HeldPlan =
  | { readonly kind: 'none' }
  | { readonly kind: 'held'; readonly plan: HostPlan; readonly revision: Revision }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly revision: Revision | null }

export interface PlanAnnouncement {
  readonly revision: Revision
  readonly digest: Digest
}

export interface PlanStoreOptions {
  readonly stateDir: string
  readonly host: HostName
  /** Checks shape and digest. */
  readonly parsePlan: (text: string) => ParsedPlan
  readonly readFile: (path: string) => Promise<Observed<string | null>>
  readonly writeFile: (path: string, text: string) => Promise<void>
}

export interface PlanStore {
  /** Reads what was saved; afterwards `held` tells it. */
  load(): Promise<HeldPlan>
  held(): HeldPlan
  /** Fails when the announcement is older than what is held, or another content under its revision: `plan.stale`. */
  checkNotOlder(announced: PlanAnnouncement): void
  /**
   * Verifies and saves a plan, then holds it. Fails with the codes `plan.*`, `os.no-space` or
   * `os.file-unwritable`; the plan held before stays in force.
   */
  accept(text: string, announced: PlanAnnouncement): Promise<HostPlan>
  /** The plan held is also that of a newer revision. */
  advance(revision: Revision): Promise<void>
}

export function createPlanStore(options: PlanStoreOptions): PlanStore {
  const planPath = join(options.stateDir, 'plan.json')
  const floorPath = join(options.stateDir, 'plan-floor.json')
  let held: HeldPlan = { kind: 'none' }

  function refuse(code: PlanErrorCode, message: string): never {
    throw new OperationError(code, message, { host: options.host })
  }

  function checkNotOlder(announced: PlanAnnouncement): void {
    const floor = held.kind === 'none' ? null : held.revision
    if (floor === null || announced.revision > floor) return
    if (announced.revision === floor && !isOtherContent(announced)) return
    const message = `revision ${announced.revision} does not follow revision ${floor} held here and was refused; publish again to go back to an older policy`
    throw new OperationError('plan.stale', message, { offered: announced.revision, held: floor })
  }

  /** Two contents under one revision: one of them is not what was published. */
  function isOtherContent(announced: PlanAnnouncement): boolean {
    return held.kind === 'held' && held.plan.revision === announced.revision && held.plan.digest !== announced.digest
  }

  function verify(text: string, announced: PlanAnnouncement): HostPlan {
    const parsed = options.parsePlan(text)
    if (!parsed.ok) refuse(parsed.code, parsed.message)
    const { plan } = parsed
    if (plan.digest !== announced.digest) {
      refuse(
        'plan.wrong-digest',
        `the plan received has digest ${plan.digest}, announced was ${announced.digest}; the plan held before stays in force`,
      )
    }
    if (plan.host !== options.host) {
      refuse(
        'plan.wrong-host',
        `the plan received is for host ${plan.host}, this is ${options.host}; the plan held before stays in force`,
      )
    }
    // both are looked at: the text decides what is enforced, the announcement what the center believes to be in force
    checkNotOlder(announced)
    checkNotOlder({ revision: plan.revision, digest: plan.digest })
    return plan
  }

  async function saveFloor(revision: Revision): Promise<void> {
    await options.writeFile(floorPath, `${JSON.stringify({ revision })}\n`)
  }

  async function load(): Promise<HeldPlan> {
    const floor = await readFloor(options, floorPath)
    const text = await options.readFile(planPath)
    if (!text.known) return { kind: 'unreadable', reason: text.reason, revision: floor.revision }
    if (text.value === null) {
      if (floor.absent) return { kind: 'none' }
      return { kind: 'unreadable', reason: `${planPath} is missing`, revision: floor.revision }
    }
    const parsed = options.parsePlan(text.value)
    if (!parsed.ok) {
      return { kind: 'unreadable', reason: `${planPath}: ${parsed.code}: ${parsed.message}`, revision: floor.revision }
    }
    const { plan } = parsed
    if (plan.host !== options.host) {
      const reason = `${planPath} is the plan of host ${plan.host}, this is ${options.host}`
      return { kind: 'unreadable', reason, revision: floor.revision }
    }
    // a floor that cannot be read falls back to the revision that the plan itself carries
    const revision = floor.revision === null || floor.revision < plan.revision ? plan.revision : floor.revision
    return { kind: 'held', plan, revision }
  }

  return {
    async load() {
      held = await load()
      return held
    },
    held: () => held,
    checkNotOlder,
    async accept(text, announced) {
      const plan = verify(text, announced)
      const revision = announced.revision > plan.revision ? announced.revision : plan.revision
      // the floor first: a crash or a full disk between the two leaves an older plan under a newer floor, which opens no way back
      await saveFloor(revision)
      await options.writeFile(planPath, text)
      held = { kind: 'held', plan, revision }
      return plan
    },
    async advance(revision) {
      if (held.kind !== 'held' || revision <= held.revision) return
      await saveFloor(revision)
      held = { ...held, revision }
    },
  }
}

async function readFloor(
  options: PlanStoreOptions,
  path: string,
): Promise<{ readonly absent: boolean; readonly revision: Revision | null }> {
  const text = await options.readFile(path)
  if (!text.known) return { absent: false, revision: null }
  if (text.value === null) return { absent: true, revision: null }
  try {
    const value: unknown = JSON.parse(text.value)
    const revision = typeof value === 'object' && value !== null && 'revision' in value ? value.revision : null
    return { absent: false, revision: parseRevision(revision) }
  } catch {
    // a damaged floor: the plan beside it still tells its own revision
    return { absent: false, revision: null }
  }
}
