/**
 * From policy and inventory to plans in the store, one at a time. A publish makes a revision; so does a change of the inventory that changes any plan.
 * A document with errors changes nothing; what is wrong in the inventory is left out, passes nothing, and is told as diagnostics and as an event.
 * Never announces before the plans are stored, and never an older revision than one announced before (DESIGN §2, invariant 2).
 */
import {
  OperationError,
  parseRevision,
  type Diagnostic,
  type HostPlan,
  type Packet,
  type Policy,
  type Revision,
} from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { parsePolicy, type Compilation } from '@hyperward/policy'
import {
  planLimits,
  planSectionNames,
  type ApiDiffResult,
  type ApiExplainResult,
  type ApiPlanResult,
  type ApiPublishResult,
  type ServedPlan,
} from '@hyperward/protocol'
import {
  addPublication,
  deleteUnusedSections,
  readDraft,
  readLatestPlans,
  readPlanSections,
  readPublished,
  replaceHolders,
  violatedConstraint,
  writeDraft,
  writePolicyText,
  type HolderRow,
  type NewHostPlan,
  type Store,
} from '@hyperward/store'

import { compilePolicy, diffCompilations, explainPacket, toDoubts, toProblems } from '../policy/policy-engine.ts'
import { PolicyInvalid } from '../policy/policy-invalid.ts'
import type { Contest, InventoryView } from './inventory-view.ts'
import {
  createPlanSections,
  listNewContent,
  measurePlan,
  readRuleRefs,
  serveRendered,
  serveStored,
  type PlanSize,
  type RenderedPlan,
} from './plan-sections.ts'
import { toldAtOnce, type Recorder } from './recorder.ts'
import { createSerial } from './serial.ts'

export interface PlannedHost {
  readonly revision: number
  readonly digest: string
  /** Its texts, when they were made by this process; otherwise the store has them. */
  readonly rendered: RenderedPlan | null
}

export interface Candidate {
  readonly text: string
  readonly file: string
}

export interface Publisher {
  start(): Promise<void>
  revision(): number
  /** What a host should hold; null = nothing was ever compiled for it. */
  planned(host: string): PlannedHost | null
  inventoryProblem(): string | null
  policy(): Policy | null
  storeDraft(candidate: Candidate, by: string): Promise<readonly Diagnostic[]>
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
  /** What the host should hold, if that has this digest; null otherwise. */
  servedPlan(host: string, digest: string): Promise<ServedPlan | null>
  /** Of the rules of the plan that the host should hold. */
  ruleRefs(host: string): Promise<ReadonlySet<string>>
  /** Lets go of what no plan needs any more. */
  prune(): Promise<void>
  /** A host is gone: it has no plan any more. */
  forget(host: string): void
  /** Resolves when all that was asked is done. */
  settled(): Promise<void>
}

export interface PublisherDependencies {
  readonly store: Store
  readonly inventory: InventoryView
  readonly recorder: Recorder
  readonly clock: () => Date
  /** Of a plan's texts; default: what an agent takes. */
  readonly maxPlanBytes?: number | undefined
  /** Called after the plans are stored, with the hosts whose plan is another. */
  readonly announce: (revision: number, hosts: readonly string[]) => void
  /** A defect or a store that does not answer, met while nobody waits for the result. */
  readonly onFailure: (error: unknown) => void
}

interface Published {
  readonly revision: number
  readonly digest: string
  readonly policy: Policy
  readonly compiled: Compilation | null
}

export function createPublisher(dependencies: PublisherDependencies): Publisher {
  const { store, inventory, recorder, clock, announce, onFailure, maxPlanBytes = planLimits.planBytes } = dependencies
  const serial = createSerial()
  const planned = new Map<string, PlannedHost>()
  const sections = createPlanSections()
  /** Sections and chunks known to be in the store. */
  const stored = new Set<string>()
  const refs = new Map<string, ReadonlySet<string>>()
  let published: Published | null = null
  let problem: string | null = null
  let asked = false
  let contests: readonly Contest[] = []

  const compile = (policy: Policy, revision: number, previous: Compilation | null): Compilation =>
    compilePolicy({ policy, inventory: inventory.inventory(), revision: toRevision(revision), previous })

  const parse = (candidate: Candidate): { policy: Policy; warnings: readonly Diagnostic[] } => {
    const parsed = parsePolicy(candidate.text, candidate.file)
    if (!parsed.ok) throw new PolicyInvalid(parsed.diagnostics)
    return { policy: parsed.value, warnings: parsed.warnings }
  }

  const chosen = async (candidate: Candidate | null): Promise<Candidate> => {
    if (candidate !== null) return candidate
    const draft = await readDraft(store)
    if (draft === null) throw new OperationError('policy.no-draft', 'there is no draft; store one first')
    return { text: draft.body, file: draft.file }
  }

  const isChanged = (plan: HostPlan): boolean => planned.get(plan.host)?.digest !== plan.digest

  const render = (compiled: Compilation, plan: HostPlan): RenderedPlan => {
    const cut = compiled.sections.get(plan.host)
    if (cut === undefined) throw new Error(`${plan.host} was compiled without sections`)
    return sections.render(cut)
  }

  /** Plans of before this process that are the same now need not be read from the store. */
  const keepTexts = (compiled: Compilation): void => {
    for (const plan of compiled.plans) {
      const known = planned.get(plan.host)
      if (known?.digest !== plan.digest || known.rendered !== null) continue
      planned.set(plan.host, { ...known, rendered: render(compiled, plan) })
    }
  }

  const servedPlan: Publisher['servedPlan'] = async (host, digest) => {
    const found = planned.get(host)
    if (found?.digest !== digest) return null
    const head = { revision: found.revision, digest }
    if (found.rendered !== null) return serveRendered(head, found.rendered)
    const rows = await readPlanSections(store, host, found.revision)
    return rows === null ? null : serveStored(head, rows, store)
  }

  /** Stores the plans that differ, at the next revision; then they count. */
  const commit = async (
    next: { readonly policy: Policy; readonly digest: string; readonly compiled: Compilation },
    cause: 'publish' | 'inventory',
    by: string,
    text: Candidate | null,
  ): Promise<number> => {
    const revision = (published?.revision ?? 0) + 1
    const plans = next.compiled.plans.filter(isChanged).map((plan) => ({ plan, rendered: render(next.compiled, plan) }))
    for (const { plan, rendered } of plans) refuseTooLarge(plan.host, measurePlan(rendered), maxPlanBytes)
    const changed: NewHostPlan[] = plans.map(({ plan, rendered }) => {
      return { host: plan.host, digest: plan.digest, sections: planSectionNames.map((name) => rendered[name].digest) }
    })
    const fresh = listNewContent(
      plans.map((each) => each.rendered),
      stored,
    )
    const row = { revision, cause, policy_digest: next.digest, published_at: clock(), published_by: by }
    try {
      await store.transaction(async (tx) => {
        if (text !== null) await writePolicyText(tx, { digest: next.digest, file: text.file, body: text.text })
        await addPublication(tx, row, changed, fresh)
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
    published = { revision, digest: next.digest, policy: next.policy, compiled: next.compiled }
    for (const { digest } of [...fresh.sections, ...fresh.chunks]) stored.add(digest)
    for (const { plan, rendered } of plans) planned.set(plan.host, { revision, digest: plan.digest, rendered })
    keepTexts(next.compiled)
    announce(
      revision,
      changed.map((plan) => plan.host),
    )
    return revision
  }

  /** What of the inventory was left out is told when it changes, once. */
  const tellProblems = async (compilation: Compilation | null, failure?: string): Promise<void> => {
    const said = failure === undefined ? [] : [failure]
    const found = compilation === null ? [] : toProblems(compilation).map((each) => each.message)
    said.push(...found, ...contests.map((each) => each.message), ...inventory.problems())
    const before = problem
    const more = said.length - toldAtOnce
    problem = said.length === 0 ? null : said.slice(0, toldAtOnce).join('; ') + (more > 0 ? `; and ${more} more` : '')
    if (problem === before) return
    await recorder.event(null, 'inventory-problem', problem ?? 'the inventory has no problem any more')
  }

  /** Who keeps what is contested is stored before a plan is made of it. */
  const settleContests = async (): Promise<void> => {
    const before = new Set(contests.map((each) => each.message))
    const rows = JSON.stringify(contests.map(toHolder))
    contests = inventory.contests()
    const holders = contests.map(toHolder)
    if (JSON.stringify(holders) !== rows) await store.transaction((tx) => replaceHolders(tx, holders))
    const fresh = contests.filter((each) => !before.has(each.message))
    for (const { host, message } of fresh.slice(0, toldAtOnce)) {
      await recorder.event(host, 'inventory-contested', message)
    }
    const more = fresh.length - toldAtOnce
    if (more > 0) await recorder.event(null, 'inventory-contested', `${more} more claims are contested`)
  }

  const recompile = async (): Promise<void> => {
    asked = false
    await settleContests()
    if (published === null) return tellProblems(null)
    const { policy, digest } = published
    const compiled = compile(policy, published.revision + 1, published.compiled)
    try {
      if (compiled.plans.some(isChanged)) await commit({ policy, digest, compiled }, 'inventory', 'center', null)
      else {
        published = { ...published, compiled }
        keepTexts(compiled)
      }
      await tellProblems(compiled)
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'policy.plan-too-large') throw error
      await tellProblems(compiled, error.message)
    }
  }

  return {
    async start() {
      const latest = await readPublished(store)
      for (const row of await readLatestPlans(store)) planned.set(row.host, { ...row, rendered: null })
      contests = inventory.contests()
      await store.transaction((tx) => replaceHolders(tx, contests.map(toHolder)))
      if (latest === null) return tellProblems(null)
      const { policy } = parse({ text: latest.body, file: latest.file })
      published = { revision: latest.revision, digest: latest.policy_digest, policy, compiled: null }
      // the inventory may have changed after the last compile was stored
      await serial(recompile)
    },
    revision: () => published?.revision ?? 0,
    planned: (host) => planned.get(host) ?? null,
    inventoryProblem: () => problem,
    policy: () => published?.policy ?? null,
    async storeDraft(candidate, by) {
      const { policy, warnings } = parse(candidate)
      const resolved = compile(policy, (published?.revision ?? 0) + 1, null)
      const digest = sha256Hex(candidate.text)
      await store.transaction(async (tx) => {
        await writePolicyText(tx, { digest, file: candidate.file, body: candidate.text })
        await writeDraft(tx, { digest, by, now: clock() })
      })
      return doubts(warnings, resolved)
    },
    async plan(candidate) {
      const text = await chosen(candidate)
      const begun = performance.now()
      const { policy, warnings } = parse(text)
      const revision = (published?.revision ?? 0) + 1
      const compiled = compile(policy, revision, null)
      return {
        revision,
        policyDigest: sha256Hex(text.text),
        hosts: compiled.plans.map((plan) => ({ ...toSummary(plan), changed: isChanged(plan) })),
        warnings: doubts(warnings, compiled),
        compileMs: performance.now() - begun,
      }
    },
    async diff(candidate) {
      const { policy, warnings } = parse(await chosen(candidate))
      const compiled = compile(policy, (published?.revision ?? 0) + 1, null)
      const changes = diffCompilations(published?.compiled ?? null, compiled)
      return { published: published?.revision ?? 0, ...changes, warnings: doubts(warnings, compiled) }
    },
    async explain(which, packet) {
      const revision = published?.revision ?? 0
      const compiled =
        which === 'published' ? published?.compiled : compile(parse(await chosen(null)).policy, revision + 1, null)
      if (compiled === null || compiled === undefined) {
        throw new OperationError(
          'policy.nothing-published',
          'no policy is in force yet: everything is dropped; publish one first',
        )
      }
      return { policy: which, revision, ...explainPacket(compiled, packet) }
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
        const compiled = compile(policy, revision + 1, published?.compiled ?? null)
        const hosts = compiled.plans.map((plan) => ({ host: plan.host, digest: plan.digest, changed: isChanged(plan) }))
        const changed = digest !== published?.digest || hosts.some((host) => host.changed)
        const made = changed ? await commit({ policy, digest, compiled }, 'publish', by, draft) : revision
        await tellProblems(compiled)
        return {
          revision: made,
          policyDigest: digest,
          changed,
          hosts,
          warnings: doubts(warnings, compiled),
        }
      }),
    onInventoryChange() {
      if (asked) return
      asked = true
      serial(recompile).catch(onFailure)
    },
    servedPlan,
    async ruleRefs(host) {
      const plan = await servedPlan(host, planned.get(host)?.digest ?? '')
      if (plan === null) return new Set()
      const key = plan.sections.rules.digest
      const known = refs.get(key)
      if (known !== undefined) return known
      const made = await readRuleRefs(plan)
      // hosts share sections: a few are in use at a time
      if (refs.size >= 256) refs.clear()
      refs.set(key, made)
      return made
    },
    prune: () =>
      serial(async () => {
        // what goes is not known any more; a section that is needed again is stored again
        stored.clear()
        await deleteUnusedSections(store)
      }),
    forget: (host) => planned.delete(host),
    settled: () => serial(async () => undefined),
  }
}

/** All that an author should know of a policy that is accepted. */
function doubts(warnings: readonly Diagnostic[], compilation: Compilation): Diagnostic[] {
  return [...warnings, ...toDoubts(compilation), ...toProblems(compilation)]
}

function refuseTooLarge(host: string, size: PlanSize, most: number): void {
  const { bytes, chunks, largestChunk } = size
  const kept = 'nothing is published, former plans stay in force'
  if (bytes > most || chunks > planLimits.chunksPerPlan) {
    const message = `the plan of ${host} has ${bytes} bytes in ${chunks} parts, more than the ${most} bytes in ${planLimits.chunksPerPlan} parts an agent takes; ${kept}`
    throw new OperationError('policy.plan-too-large', message, { host, bytes, most })
  }
  if (largestChunk <= planLimits.chunkBytes) return
  const message = `a part of the plan of ${host} has ${largestChunk} bytes, more than the ${planLimits.chunkBytes} an agent takes at once; ${kept}`
  throw new OperationError('policy.plan-too-large', message, { host, bytes: largestChunk, most: planLimits.chunkBytes })
}

function toHolder({ claim, holder }: Contest): HolderRow {
  return { claim, holder }
}

function toRevision(value: number): Revision {
  const revision = parseRevision(value)
  if (revision === null) throw new Error(`not a revision: ${value}`)
  return revision
}

function toSummary(plan: HostPlan): Omit<ApiPlanResult['hosts'][number], 'changed'> {
  const { endpoints, addresses, networks, services, verdicts, rules } = plan.sections
  return {
    host: plan.host,
    digest: plan.digest,
    endpoints: endpoints.length,
    addresses: addresses.length,
    networks: networks.length,
    services: services.length,
    verdicts: verdicts.length,
    rules: rules.length,
  }
}
