/** What each host should hold: revision, digest and content of its plan. Beside the store, which has it first. */
import { OperationError, type HostPlan } from '@hyperward/model'
import type { Compilation } from '@hyperward/policy'
import { planLimits, planSectionNames, type ServedPlan } from '@hyperward/protocol'
import {
  deleteUnusedSections,
  readLatestPlans,
  readPlanSections,
  type NewHostPlan,
  type NewPlanContent,
  type Store,
} from '@hyperward/store'

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

export interface PlannedHost {
  readonly revision: number
  readonly digest: string
  /** Its texts, when they were made by this process; otherwise the store has them. */
  readonly rendered: RenderedPlan | null
}

export interface PlannedHosts {
  load(): Promise<void>
  /** null = nothing was ever compiled for it. */
  find(host: string): PlannedHost | null
  isChanged(plan: HostPlan): boolean
  /** Of a compilation, what must be stored; then it counts by `take`. Fails with `policy.plan-too-large`. */
  prepare(compiled: Compilation): PreparedPlans
  /** Plans of before this process that are the same now need not be read from the store. */
  keepTexts(compiled: Compilation): void
  /** What the host should hold, if that has this digest; null otherwise. */
  served(host: string, digest: string): Promise<ServedPlan | null>
  /** Of the rules of the plan that the host should hold. */
  ruleRefs(host: string): Promise<ReadonlySet<string>>
  /** Lets go of what no plan needs any more. Not while plans are being stored. */
  prune(): Promise<void>
  /** A host is gone: it has no plan any more. */
  forget(host: string): void
}

export interface PreparedPlans {
  readonly plans: readonly NewHostPlan[]
  readonly content: NewPlanContent
  take(revision: number): void
}

export function createPlannedHosts(store: Store, maxPlanBytes: number): PlannedHosts {
  const planned = new Map<string, PlannedHost>()
  const sections = createPlanSections()
  /** Sections and chunks known to be in the store. */
  const stored = new Set<string>()
  const refs = new Map<string, ReadonlySet<string>>()

  const isChanged = (plan: HostPlan): boolean => planned.get(plan.host)?.digest !== plan.digest

  const render = (compiled: Compilation, plan: HostPlan): RenderedPlan => {
    const cut = compiled.sections.get(plan.host)
    if (cut === undefined) throw new Error(`${plan.host} was compiled without sections`)
    return sections.render(cut)
  }

  const keepTexts = (compiled: Compilation): void => {
    for (const plan of compiled.plans) {
      const known = planned.get(plan.host)
      if (known?.digest !== plan.digest || known.rendered !== null) continue
      planned.set(plan.host, { ...known, rendered: render(compiled, plan) })
    }
  }

  const served: PlannedHosts['served'] = async (host, digest) => {
    const found = planned.get(host)
    if (found?.digest !== digest) return null
    const head = { revision: found.revision, digest }
    if (found.rendered !== null) return serveRendered(head, found.rendered)
    const rows = await readPlanSections(store, host, found.revision)
    return rows === null ? null : serveStored(head, rows, store)
  }

  return {
    async load() {
      for (const row of await readLatestPlans(store)) planned.set(row.host, { ...row, rendered: null })
    },
    find: (host) => planned.get(host) ?? null,
    isChanged,
    prepare(compiled) {
      const changed = compiled.plans.filter(isChanged).map((plan) => ({ plan, rendered: render(compiled, plan) }))
      for (const { plan, rendered } of changed) refuseTooLarge(plan.host, measurePlan(rendered), maxPlanBytes)
      const content = listNewContent(
        changed.map((each) => each.rendered),
        stored,
      )
      return {
        plans: changed.map(({ plan, rendered }) => ({
          host: plan.host,
          digest: plan.digest,
          sections: planSectionNames.map((name) => rendered[name].digest),
        })),
        content,
        take(revision) {
          for (const { digest } of [...content.sections, ...content.chunks]) stored.add(digest)
          for (const { plan, rendered } of changed) {
            planned.set(plan.host, { revision, digest: plan.digest, rendered })
          }
          keepTexts(compiled)
        },
      }
    },
    keepTexts,
    served,
    async ruleRefs(host) {
      const plan = await served(host, planned.get(host)?.digest ?? '')
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
    async prune() {
      // what goes is not known any more; a section that is needed again is stored again
      stored.clear()
      await deleteUnusedSections(store)
    },
    forget: (host) => planned.delete(host),
  }
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
