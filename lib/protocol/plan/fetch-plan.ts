/**
 * The side that needs a plan: asks for its sections, then for the chunks of those that differ from what is held, then for the texts not held. Everything is
 * checked against its digest as it arrives, up to the digest that was announced; what was not asked for is not taken. No I/O: it says what to send next.
 * Chunks that arrived stay over a break and over a newer announcement, so that nothing is sent twice.
 */
import {
  planLimits,
  planSectionNames,
  type ChunkHead,
  type FetchMessage,
  type PlanMessage,
  type PlanSectionName,
  type SectionDigestTexts,
} from './plan-messages.ts'
import { takeBatch } from './serve-plan.ts'

export interface HeldSection {
  readonly digest: string
  readonly chunks: readonly { readonly digest: string; readonly body: () => string }[]
}

export type HeldSections = Readonly<Record<PlanSectionName, HeldSection>>

export interface PlanFetchOptions {
  readonly sha256: (text: string) => string
  /** The digest that a plan with these sections has for this host. */
  readonly digestPlan: (sections: SectionDigestTexts) => string
  /** Of the plan held now; null = none. Asked once a fetch. */
  readonly held: () => HeldSections | null
}

/** Texts of each section's chunks, in order. */
export type FetchedBodies = Readonly<Record<PlanSectionName, readonly string[]>>

export type FetchStep =
  | { readonly kind: 'ask'; readonly message: FetchMessage }
  /** More is to come, or it was of no concern. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'done'; readonly digest: string; readonly revision: number; readonly bodies: FetchedBodies }
  | { readonly kind: 'refused'; readonly code: 'plan.malformed' | 'plan.wrong-digest'; readonly reason: string }

export interface PlanFetch {
  /** From the start, with what arrived before. */
  begin(digest: string): FetchMessage
  onMessage(message: PlanMessage): FetchStep
  /** The plan asked for now; null = nothing is under way. */
  asking(): string | null
  /** Nothing more is expected; what arrived stays. */
  pause(): void
  /** Lets go of what arrived: it was used, or will not be. */
  clear(): void
}

interface Progress {
  readonly digest: string
  readonly held: HeldSections | null
  /** null = not told yet. */
  head: { readonly revision: number; readonly sections: SectionDigestTexts } | null
  /** Of the sections that differ. */
  readonly lists: Map<PlanSectionName, ChunkHead[]>
  /** Sections whose list is not whole. */
  readonly listing: Set<PlanSectionName>
  /** To be asked for, and how far that is. */
  missing: readonly ChunkHead[]
  at: number
  readonly asked: Map<string, number>
  /** Of what is held, in whichever section. */
  readonly heldBodies: ReadonlyMap<string, () => string>
}

const wait: FetchStep = { kind: 'wait' }

export function createPlanFetch(options: PlanFetchOptions): PlanFetch {
  const { sha256 } = options
  let progress: Progress | null = null
  /** Texts that arrived, each checked. */
  let arrived = new Map<string, string>()

  function refuse(code: 'plan.malformed' | 'plan.wrong-digest', reason: string): FetchStep {
    progress = null
    return { kind: 'refused', code, reason }
  }

  function onSections(now: Progress, message: Extract<PlanMessage, { kind: 'plan-sections' }>): FetchStep {
    if (now.head !== null) return wait
    const { revision, sections } = message
    if (options.digestPlan(sections) !== now.digest) {
      return refuse('plan.wrong-digest', `the sections told are not those of plan ${now.digest}`)
    }
    now.head = { revision, sections }
    const differing = planSectionNames.filter((name) => now.held?.[name].digest !== sections[name])
    if (differing.length === 0) return next(now)
    for (const name of differing) now.listing.add(name)
    return { kind: 'ask', message: { kind: 'fetch-sections', digest: now.digest, sections: differing } }
  }

  function onSection(now: Progress, message: Extract<PlanMessage, { kind: 'plan-section' }>): FetchStep {
    const { section, from, total, chunks } = message
    if (now.head === null || !now.listing.has(section)) return wait
    const list = now.lists.get(section) ?? []
    if (from !== list.length || from + chunks.length > total || (chunks.length === 0 && from < total)) {
      return refuse('plan.malformed', `the chunks of section ${section} are not told in order`)
    }
    now.lists.set(section, list)
    for (const head of chunks) list.push(head)
    if (countChunks(now) > planLimits.chunksPerPlan)
      return refuse('plan.malformed', `the plan has more than ${planLimits.chunksPerPlan} chunks`)
    if (list.length < total) return wait
    if (sha256(list.map((head) => head.digest).join('\n')) !== now.head.sections[section]) {
      return refuse('plan.wrong-digest', `the chunks told are not those of section ${section}`)
    }
    now.listing.delete(section)
    return now.listing.size > 0 ? wait : findMissing(now)
  }

  function findMissing(now: Progress): FetchStep {
    const needed = new Map<string, ChunkHead>()
    let bytes = 0
    for (const list of now.lists.values()) {
      for (const head of list) {
        needed.set(head.digest, head)
        bytes += head.bytes
      }
    }
    if (bytes > planLimits.planBytes)
      return refuse('plan.malformed', `the plan has more than ${planLimits.planBytes} bytes`)
    // what an earlier fetch left and this one does not need goes
    arrived = new Map([...arrived].filter(([digest]) => needed.has(digest)))
    now.missing = [...needed.values()].filter(({ digest }) => !now.heldBodies.has(digest) && !arrived.has(digest))
    return next(now)
  }

  function next(now: Progress): FetchStep {
    const chunks = takeBatch(now.missing, now.at)
    if (chunks.length === 0) return finish(now)
    for (const head of now.missing.slice(now.at, now.at + chunks.length)) now.asked.set(head.digest, head.bytes)
    now.at += chunks.length
    return { kind: 'ask', message: { kind: 'fetch-chunks', digest: now.digest, chunks } }
  }

  function onChunks(now: Progress, message: Extract<PlanMessage, { kind: 'plan-chunks' }>): FetchStep {
    for (const { digest, body } of message.chunks) {
      const bytes = now.asked.get(digest)
      if (bytes === undefined) continue
      if (Buffer.byteLength(body) !== bytes || sha256(body) !== digest) {
        return refuse('plan.wrong-digest', `a chunk is not what its digest ${digest} says`)
      }
      now.asked.delete(digest)
      arrived.set(digest, body)
    }
    return now.asked.size > 0 || now.missing.length === 0 ? wait : next(now)
  }

  function finish(now: Progress): FetchStep {
    if (now.head === null) throw new Error('a plan without its sections is not whole')
    const { revision } = now.head
    const bodiesOf = (name: PlanSectionName): readonly string[] =>
      (now.lists.get(name) ?? now.held?.[name].chunks ?? []).map(({ digest }) => {
        const body = arrived.get(digest) ?? now.heldBodies.get(digest)?.()
        if (body === undefined) throw new Error(`chunk ${digest} was never asked for`)
        return body
      })
    const bodies: FetchedBodies = {
      endpoints: bodiesOf('endpoints'),
      zones: bodiesOf('zones'),
      addresses: bodiesOf('addresses'),
      networks: bodiesOf('networks'),
      services: bodiesOf('services'),
      verdicts: bodiesOf('verdicts'),
      rules: bodiesOf('rules'),
    }
    progress = null
    return { kind: 'done', digest: now.digest, revision, bodies }
  }

  return {
    begin(digest) {
      const held = options.held()
      const chunks = held === null ? [] : planSectionNames.flatMap((name) => held[name].chunks)
      progress = {
        digest,
        held,
        head: null,
        lists: new Map(),
        listing: new Set(),
        missing: [],
        at: 0,
        asked: new Map(),
        heldBodies: new Map(chunks.map((chunk) => [chunk.digest, chunk.body])),
      }
      return { kind: 'fetch-plan', digest }
    },
    onMessage(message) {
      // an answer to an older question
      if (progress === null || progress.digest !== message.digest) return wait
      switch (message.kind) {
        case 'plan-sections':
          return onSections(progress, message)
        case 'plan-section':
          return onSection(progress, message)
        case 'plan-chunks':
          return onChunks(progress, message)
      }
    },
    asking: () => progress?.digest ?? null,
    pause() {
      progress = null
    },
    clear() {
      progress = null
      arrived = new Map()
    },
  }
}

function countChunks(now: Progress): number {
  let count = 0
  for (const list of now.lists.values()) count += list.length
  return count
}
