/**
 * Plans as the texts of their chunks. Most of a plan is the same on every host (each endpoint's address and identity) and stays through a change, so each chunk
 * is rendered and stored once, whatever the number of hosts and revisions; an agent is sent those it does not hold.
 */
import type { SectionChunk, PlanSection, PlanSections as CompiledSections } from '@hyperward/policy'
import {
  planSectionNames,
  type ChunkHead,
  type ChunkText,
  type PlanSectionName,
  type ServedPlan,
} from '@hyperward/protocol'
import {
  readPlanChunks,
  type NewPlanContent,
  type PlanChunkRow,
  type Store,
  type StoredSection,
} from '@hyperward/store'

/** A section with its chunks' texts. */
export interface RenderedSection {
  readonly digest: string
  readonly chunks: readonly RenderedChunk[]
  /** Of its texts together. */
  readonly bytes: number
}

interface RenderedChunk extends ChunkHead, ChunkText {}

export type RenderedPlan = Readonly<Record<PlanSectionName, RenderedSection>>

export interface PlanSections {
  /** The same section or chunk object gives the same texts without rendering them again. */
  render(sections: CompiledSections): RenderedPlan
}

export function createPlanSections(): PlanSections {
  // both are immutable and shared between hosts and compilations
  const sectionsKnown = new WeakMap<PlanSection, RenderedSection>()
  const chunksKnown = new WeakMap<SectionChunk, RenderedChunk>()

  const renderChunk = (chunk: SectionChunk): RenderedChunk => {
    const known = chunksKnown.get(chunk)
    if (known !== undefined) return known
    const body = JSON.stringify(chunk.items)
    const made = { digest: chunk.digest, bytes: Buffer.byteLength(body), body }
    chunksKnown.set(chunk, made)
    return made
  }
  const renderSection = (section: PlanSection): RenderedSection => {
    const known = sectionsKnown.get(section)
    if (known !== undefined) return known
    const chunks = section.chunks.map(renderChunk)
    const made = { digest: section.digest, chunks, bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0) }
    sectionsKnown.set(section, made)
    return made
  }
  return {
    render: (sections) => ({
      endpoints: renderSection(sections.endpoints),
      zones: renderSection(sections.zones),
      addresses: renderSection(sections.addresses),
      networks: renderSection(sections.networks),
      services: renderSection(sections.services),
      verdicts: renderSection(sections.verdicts),
      rules: renderSection(sections.rules),
    }),
  }
}

/** Sections and chunks of these plans that are not in `stored`, each once. */
export function listNewContent(plans: readonly RenderedPlan[], stored: ReadonlySet<string>): NewPlanContent {
  const sections = new Map<string, RenderedSection>()
  const chunks = new Map<string, PlanChunkRow>()
  for (const plan of plans) {
    for (const name of planSectionNames) {
      const section = plan[name]
      if (stored.has(section.digest) || sections.has(section.digest)) continue
      sections.set(section.digest, section)
      for (const { digest, body } of section.chunks) if (!stored.has(digest)) chunks.set(digest, { digest, body })
    }
  }
  return {
    sections: [...sections.values()].map(({ digest, chunks: own }) => ({
      digest,
      chunks: own.map((chunk) => chunk.digest),
    })),
    chunks: [...chunks.values()],
  }
}

export interface PlanSize {
  readonly bytes: number
  readonly largestChunk: number
  readonly chunks: number
}

export function measurePlan(plan: RenderedPlan): PlanSize {
  let bytes = 0
  let chunks = 0
  let largestChunk = 0
  for (const name of planSectionNames) {
    bytes += plan[name].bytes
    chunks += plan[name].chunks.length
    for (const chunk of plan[name].chunks) largestChunk = Math.max(largestChunk, chunk.bytes)
  }
  return { bytes, largestChunk, chunks }
}

export function serveRendered(
  head: { readonly revision: number; readonly digest: string },
  plan: RenderedPlan,
): ServedPlan {
  return {
    ...head,
    sections: plan,
    async readChunks(digests) {
      const wanted = new Set(digests)
      return planSectionNames.flatMap((name) =>
        plan[name].chunks.filter((chunk) => wanted.delete(chunk.digest)).map(({ digest, body }) => ({ digest, body })),
      )
    },
  }
}

/** A plan that this process did not make: its texts stay in the store until they are asked for. */
export function serveStored(
  head: { readonly revision: number; readonly digest: string },
  rows: readonly StoredSection[],
  store: Store,
): ServedPlan {
  const section = (name: PlanSectionName): StoredSection => {
    const row = rows[planSectionNames.indexOf(name)]
    if (row === undefined) throw new Error(`the store has a plan without its section ${name}`)
    return row
  }
  return {
    ...head,
    sections: {
      endpoints: section('endpoints'),
      zones: section('zones'),
      addresses: section('addresses'),
      networks: section('networks'),
      services: section('services'),
      verdicts: section('verdicts'),
      rules: section('rules'),
    },
    async readChunks(digests) {
      const chunks = await readPlanChunks(store, digests)
      // one was let go: a newer plan took this one's place
      return chunks.length === digests.length ? chunks : null
    },
  }
}

/** References of the rules in a plan. */
export async function readRuleRefs(plan: ServedPlan): Promise<ReadonlySet<string>> {
  const heads = plan.sections.rules.chunks
  const chunks = heads.length === 0 ? [] : await plan.readChunks(heads.map((head) => head.digest))
  const refs = new Set<string>()
  for (const { body } of chunks ?? []) {
    // rendered by a center
    for (const rule of JSON.parse(body) as readonly { readonly ref: string }[]) refs.add(rule.ref)
  }
  return refs
}
