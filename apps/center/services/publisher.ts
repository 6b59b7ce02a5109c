/**
 * From policy and inventory to plans in the store, one at a time. A publish makes a revision; so does a change of the inventory, and a rule whose time comes
 * or goes, that changes any plan. A policy under which a guarantee does not hold is not published; what the inventory breaks is told.
 * A document with errors changes nothing; what is wrong in the inventory is left out, passes nothing, and is told as diagnostics and as an event.
 * Never announces before the plans are stored, and never an older revision than one announced before (DESIGN §2, invariant 2).
 */
import {
  OperationError,
  parseRevision,
  type Diagnostic,
  type OperationErrorCode,
  type Packet,
  type Policy,
  type Revision,
} from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { activeAt, nextChange, parsePolicy, type Compilation } from '@hyperward/policy'
import {
  planLimits,
  type ApiDiagnostic,
  type ApiDiffResult,
  type ApiExplainResult,
  type ApiPlanResult,
  type ApiPublishResult,
} from '@hyperward/protocol'
import {
  addPublication,
  readDraft,
  readPublished,
  violatedConstraint,
  writeDraft,
  writePolicyText,
  type PublicationCause,
  type Store,
} from '@hyperward/store'

import type { AskedPolicy } from '../policy/answer-question.ts'
import { compilePolicy, explainPacket, toDoubts, toProblems } from '../policy/policy-engine.ts'
import { PolicyInvalid } from '../policy/policy-invalid.ts'
import type { PolicyWorker } from '../policy/policy-worker.ts'
import { describeTurn } from './describe-turn.ts'
import { createGuaranteeWatch, refuseBroken } from './guarantee-watch.ts'
import { createInventoryProblems } from './inventory-problems.ts'
import type { InventoryView } from './inventory-view.ts'
import { createPlannedHosts, type PlannedHosts } from './planned-hosts.ts'
import type { Recorder } from './recorder.ts'
import { createScheduleTimer } from './schedule-timer.ts'
import { createSerial } from './serial.ts'

export interface Candidate {
  readonly text: string
  readonly file: string
}

export interface Publisher {
  start(): Promise<void>
  revision(): number
  /** What hosts should hold. */
  readonly hosts: Pick<PlannedHosts, 'find' | 'served' | 'ruleRefs' | 'forget'>
  inventoryProblem(): string | null
  /** Names of the guarantees that do not hold over what is in force. */
  brokenGuarantees(): readonly string[]
  policy(): Policy | null
  /** Of what is published, over the present inventory. */
  compiled(): Compilation | null
  /** The candidate, or the stored draft. */
  chosen(candidate: Candidate | null): Promise<Candidate>
  storeDraft(candidate: Candidate, by: string): Promise<readonly ApiDiagnostic[]>
  /** Of the candidate, or of the stored draft. Writes nothing. */
  plan(candidate: Candidate | null): Promise<ApiPlanResult>
  diff(candidate: Candidate | null): Promise<ApiDiffResult>
  explain(policy: 'draft' | 'published', packet: Packet): Promise<ApiExplainResult>
  publish(
    request: { expectedRevision?: number | undefined; expectedDraft?: string | undefined },
    by: string,
  ): Promise<ApiPublishResult>
  /** Asks for a compile; many asked in one moment are one. */
  onInventoryChange(): void
  /** Lets go of what no plan needs any more. */
  prune(): Promise<void>
  /** Resolves when all that was asked is done. */
  settled(): Promise<void>
  /** Waits for no schedule any more. */
  stop(): void
}

export interface PublisherDependencies {
  readonly store: Store
  readonly inventory: InventoryView
  readonly recorder: Recorder
  /** For the guarantees of what is published. */
  readonly worker: PolicyWorker
  /** For what administrators ask. */
  readonly questions: PolicyWorker
  readonly clock: () => Date
  /** Of a plan's texts; default: what an agent takes. */
  readonly maxPlanBytes?: number | undefined
  /** How often the clock is looked at for schedules, at least; default 10 s. */
  readonly lookEveryMs?: number | undefined
  /** Called after the plans are stored, with the hosts whose plan is another. */
  readonly announce: (revision: number, hosts: readonly string[]) => void
  /** A defect or a store that does not answer, met while nobody waits for the result. */
  readonly onFailure: (error: unknown) => void
}

interface Published {
  readonly revision: number
  readonly digest: string
  readonly policy: Policy
  /** Without the rules that did not hold when it was last looked at, which was then. */
  readonly active: Policy
  readonly activeAtMs: number
  readonly compiled: Compilation | null
}

export function createPublisher(dependencies: PublisherDependencies): Publisher {
  const {
    store,
    inventory,
    recorder,
    worker,
    questions,
    clock,
    announce,
    onFailure,
    maxPlanBytes = planLimits.planBytes,
  } = dependencies
  const serial = createSerial()
  const hosts = createPlannedHosts(store, maxPlanBytes)
  const problems = createInventoryProblems({ store, inventory, recorder })
  const guarantees = createGuaranteeWatch({ recorder, worker, onFailure })
  let published: Published | null = null
  let asked = false

  const timer = createScheduleTimer({
    clock,
    lookEveryMs: dependencies.lookEveryMs ?? 10_000,
    onDue: () => onInventoryChange(),
  })

  /** Of the rules that hold at a time. */
  const compile = (
    policy: Policy,
    revision: number,
    previous: Compilation | null,
    nowMs = clock().getTime(),
  ): Compilation =>
    compilePolicy({
      policy: activeAt(policy, nowMs),
      inventory: inventory.inventory(),
      revision: toRevision(revision),
      previous,
    })

  /** What could not be proved in time is not known: told as a problem, and what was known of it before stays. */
  const watchGuarantees = (compiled: Compilation): void => {
    const policy = published?.digest
    guarantees.watch(compiled, {
      isCurrent: () => published?.digest === policy,
      onUnknown: (reason) => tellProblems(compiled, [reason]),
    })
  }

  const parse = (candidate: Candidate): { policy: Policy; warnings: readonly Diagnostic[] } => {
    const parsed = parsePolicy(candidate.text, candidate.file)
    if (!parsed.ok) throw new PolicyInvalid(parsed.diagnostics)
    return { policy: parsed.value, warnings: parsed.warnings }
  }

  const toAsk = async (candidate: Candidate | null) => {
    const { text, file } = await chosen(candidate)
    const policy: AskedPolicy = { kind: 'text', text, file, nowMs: clock().getTime() }
    return { policy, inventory: inventory.inventory(), revision: toRevision((published?.revision ?? 0) + 1) }
  }

  const chosen = async (candidate: Candidate | null): Promise<Candidate> => {
    if (candidate !== null) return candidate
    const draft = await readDraft(store)
    if (draft === null) throw new OperationError('policy.no-draft', 'there is no draft; store one first')
    return { text: draft.body, file: draft.file }
  }

  /** Stores the plans that differ, at the next revision; then they count. */
  const commit = async (
    next: Pick<Published, 'policy' | 'digest' | 'activeAtMs'> & { readonly compiled: Compilation },
    cause: PublicationCause,
    by: string,
    text: Candidate | null,
  ): Promise<number> => {
    const revision = (published?.revision ?? 0) + 1
    const prepared = hosts.prepare(next.compiled)
    const row = { revision, cause, policy_digest: next.digest, published_at: clock(), published_by: by }
    try {
      await store.transaction(async (tx) => {
        if (text !== null) await writePolicyText(tx, { digest: next.digest, file: text.file, body: text.text })
        await addPublication(tx, row, prepared.plans, prepared.content)
      })
    } catch (error) {
      const constraint = violatedConstraint(error)
      if (constraint !== 'publication_only_grows' && constraint !== 'publication_pkey') throw error
      throw new OperationError(
        'policy.revision-conflict',
        `revision ${revision} was made elsewhere meanwhile`,
        {},
        error,
      )
    }
    published = { ...next, revision, active: next.compiled.resolved.policy }
    prepared.take(revision)
    announce(
      revision,
      prepared.plans.map((plan) => plan.host),
    )
    return revision
  }

  const tellProblems = (compiled: Compilation | null, failure: readonly string[] = []): Promise<void> =>
    problems.tell([...failure, ...(compiled === null ? [] : toProblems(compiled).map((each) => each.message))])

  const recompile = async (): Promise<void> => {
    asked = false
    await problems.settleContests()
    if (published === null) return tellProblems(null)
    const before = published
    const activeAtMs = clock().getTime()
    try {
      const compiled = compile(before.active, before.revision + 1, before.compiled, activeAtMs)
      const active = compiled.resolved.policy
      const isScheduled = active !== before.active
      if (compiled.plans.some((plan) => hosts.isChanged(plan))) {
        await commit({ ...before, compiled, activeAtMs }, isScheduled ? 'schedule' : 'inventory', 'center', null)
      } else {
        published = { ...before, active, activeAtMs, compiled }
        hosts.keepTexts(compiled)
      }
      if (isScheduled) await recorder.event(null, 'schedule', describeTurn(before.active, active, published.revision))
      await tellProblems(compiled)
      watchGuarantees(compiled)
    } catch (error) {
      if (!(error instanceof OperationError) || !tooLarge.has(error.code)) throw error
      await tellProblems(published.compiled, [error.message])
      // what was due stays due: tried again, but not without a pause
      return waitToRetry()
    }
    waitForTurn()
  }

  /** The next time a rule comes or goes; one that came while we were at work is due at once. */
  const waitForTurn = (): void => {
    if (published === null) return
    timer.set(nextChange(published.active, published.activeAtMs), published.activeAtMs)
  }

  const waitToRetry = (): void => {
    const now = clock().getTime()
    timer.set(now + retryMs, now)
  }

  const onInventoryChange = (): void => {
    if (asked) return
    asked = true
    serial(recompile).catch((error: unknown) => {
      onFailure(error)
      // a store that does not answer: what was due is still due
      waitToRetry()
    })
  }

  return {
    async start() {
      const latest = await readPublished(store)
      await hosts.load()
      await problems.start()
      if (latest === null) return tellProblems(null)
      const { policy } = parse({ text: latest.body, file: latest.file })
      // as it was then: the inventory may have changed since, and rules may have come or gone
      const activeAtMs = latest.published_at.getTime()
      const active = activeAt(policy, activeAtMs)
      const { revision, policy_digest: digest } = latest
      published = { revision, digest, policy, active, activeAtMs, compiled: null }
      await serial(recompile)
    },
    revision: () => published?.revision ?? 0,
    hosts,
    inventoryProblem: () => problems.current(),
    brokenGuarantees: () => guarantees.broken(),
    policy: () => published?.policy ?? null,
    compiled: () => published?.compiled ?? null,
    async storeDraft(candidate, by) {
      const warnings = await questions.ask('check', await toAsk(candidate))
      const digest = sha256Hex(candidate.text)
      await store.transaction(async (tx) => {
        await writePolicyText(tx, { digest, file: candidate.file, body: candidate.text })
        await writeDraft(tx, { digest, by, now: clock() })
      })
      return warnings
    },
    chosen,
    async plan(candidate) {
      const text = await chosen(candidate)
      const ask = await toAsk(text)
      const made = await questions.ask('plan', ask)
      const told = made.hosts.map((each) => ({ ...each, changed: hosts.find(each.host)?.digest !== each.digest }))
      return { revision: ask.revision, policyDigest: sha256Hex(text.text), ...made, hosts: told }
    },
    async diff(candidate) {
      const ask = await toAsk(candidate)
      const [revision, before] = [published?.revision ?? 0, published?.compiled?.resolved.policy ?? null]
      return { published: revision, ...(await questions.ask('diff', { ...ask, before })) }
    },
    async explain(which, packet) {
      const revision = published?.revision ?? 0
      if (which === 'draft') {
        return { policy: which, revision, ...(await questions.ask('explain', { ...(await toAsk(null)), packet })) }
      }
      const compiled = published?.compiled ?? null
      if (compiled !== null) return { policy: which, revision, ...explainPacket(compiled, packet) }
      const message = 'no policy is in force yet: everything is dropped; publish one first'
      throw new OperationError('policy.nothing-published', message)
    },
    publish: (request, by) =>
      serial(async () => {
        const revision = published?.revision ?? 0
        if (request.expectedRevision !== undefined && request.expectedRevision !== revision) {
          const message = `revision ${revision} is published, not ${request.expectedRevision}; look at the difference and publish again`
          throw new OperationError('policy.revision-conflict', message, { revision })
        }
        const draft = await chosen(null)
        const digest = sha256Hex(draft.text)
        if (request.expectedDraft !== undefined && request.expectedDraft !== digest) {
          throw new OperationError('policy.draft-conflict', 'the draft is another now; look at it and publish again')
        }
        const { policy, warnings } = parse(draft)
        const activeAtMs = clock().getTime()
        const compiled = compile(policy, revision + 1, published?.compiled ?? null, activeAtMs)
        const proved = await guarantees.prove(compiled)
        refuseBroken(proved)
        const told = compiled.plans.map((plan) => {
          return { host: plan.host, digest: plan.digest, changed: hosts.isChanged(plan) }
        })
        const changed = digest !== published?.digest || told.some((host) => host.changed)
        const made = changed ? await commit({ policy, digest, compiled, activeAtMs }, 'publish', by, draft) : revision
        await tellProblems(compiled)
        await guarantees.tell(proved)
        waitForTurn()
        return {
          revision: made,
          policyDigest: digest,
          changed,
          hosts: told,
          warnings: doubts(warnings, compiled),
        }
      }),
    onInventoryChange,
    prune: () => serial(() => hosts.prune()),
    async settled() {
      await serial(async () => undefined)
      await guarantees.settled()
    },
    stop() {
      guarantees.stop()
      timer.stop()
    },
  }
}

/** A policy that would be more than hosts take: nothing of it is put in force. */
const tooLarge: ReadonlySet<OperationErrorCode> = new Set(['policy.plan-too-large', 'policy.too-many-rows'])
const retryMs = 5000

/** All that an author should know of a policy that is accepted. */
function doubts(warnings: readonly Diagnostic[], compilation: Compilation): Diagnostic[] {
  return [...warnings, ...toDoubts(compilation), ...toProblems(compilation)]
}

function toRevision(value: number): Revision {
  const revision = parseRevision(value)
  if (revision === null) throw new Error(`not a revision: ${value}`)
  return revision
}
