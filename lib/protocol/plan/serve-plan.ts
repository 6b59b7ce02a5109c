/** The side that has a plan: what each question of an agent is answered with, frame by frame, so that no more than one frame's texts are in memory at once. */
import {
  planLimits,
  planSectionNames,
  type ChunkHead,
  type ChunkText,
  type FetchMessage,
  type PlanMessage,
  type PlanSectionName,
} from './plan-messages.ts'

export interface ServedSection {
  readonly digest: string
  readonly chunks: readonly ChunkHead[]
}

export interface ServedPlan {
  readonly revision: number
  readonly digest: string
  readonly sections: Readonly<Record<PlanSectionName, ServedSection>>
  /** Of its own chunks only; null = one of them is gone meanwhile. */
  readChunks(digests: readonly string[]): Promise<readonly ChunkText[] | null>
}

export type ServedAnswer =
  | { readonly kind: 'frames'; readonly frames: AsyncIterable<PlanMessage> }
  /** The agent asked for what the plan does not have: no agent does. */
  | { readonly kind: 'refused'; readonly reason: string }

/** `message.digest` is the plan's. Frames end early when the plan is gone while it is read. */
export function servePlan(message: FetchMessage, plan: ServedPlan): ServedAnswer {
  switch (message.kind) {
    case 'fetch-plan':
      return { kind: 'frames', frames: listSections(plan) }
    case 'fetch-sections':
      if (new Set(message.sections).size < message.sections.length)
        return { kind: 'refused', reason: 'a section is asked for twice' }
      return { kind: 'frames', frames: listChunks(plan, message.sections) }
    case 'fetch-chunks': {
      const heads = findChunks(plan, message.chunks)
      if (typeof heads === 'string') return { kind: 'refused', reason: heads }
      return { kind: 'frames', frames: sendChunks(plan, heads) }
    }
  }
}

async function* listSections(plan: ServedPlan): AsyncGenerator<PlanMessage> {
  const { revision, digest, sections } = plan
  const of = (name: PlanSectionName): string => sections[name].digest
  yield {
    kind: 'plan-sections',
    revision,
    digest,
    sections: {
      endpoints: of('endpoints'),
      zones: of('zones'),
      addresses: of('addresses'),
      networks: of('networks'),
      services: of('services'),
      verdicts: of('verdicts'),
      rules: of('rules'),
    },
  }
}

async function* listChunks(plan: ServedPlan, names: readonly PlanSectionName[]): AsyncGenerator<PlanMessage> {
  for (const section of names) {
    const { chunks } = plan.sections[section]
    let from = 0
    // a section without chunks is one empty page
    do {
      const page = chunks.slice(from, from + planLimits.pageChunks)
      const heads = page.map(({ digest, bytes }) => ({ digest, bytes }))
      yield { kind: 'plan-section', digest: plan.digest, section, from, total: chunks.length, chunks: heads }
      from += page.length
    } while (from < chunks.length)
  }
}

/** What was asked for, or why it is refused. */
function findChunks(plan: ServedPlan, asked: readonly string[]): readonly ChunkHead[] | string {
  const wanted = new Set(asked)
  if (wanted.size < asked.length) return 'a chunk is asked for twice'
  const found: ChunkHead[] = []
  for (const name of planSectionNames) {
    for (const chunk of plan.sections[name].chunks) if (wanted.delete(chunk.digest)) found.push(chunk)
  }
  const [missing] = wanted
  return missing === undefined ? found : `the plan has no chunk ${missing}`
}

async function* sendChunks(plan: ServedPlan, heads: readonly ChunkHead[]): AsyncGenerator<PlanMessage> {
  for (let at = 0; at < heads.length;) {
    const batch = takeBatch(heads, at)
    const chunks = await plan.readChunks(batch)
    if (chunks === null) return
    yield { kind: 'plan-chunks', digest: plan.digest, chunks: [...chunks] }
    at += batch.length
  }
}

/** Digests from `at` on that fit in one frame: one at least. */
export function takeBatch(heads: readonly ChunkHead[], at = 0): string[] {
  const batch: string[] = []
  let bytes = 0
  for (let next = at; next < heads.length && batch.length < planLimits.askedChunks; next += 1) {
    const head = heads[next]
    if (head === undefined || (batch.length > 0 && bytes + head.bytes > planLimits.batchBytes)) break
    batch.push(head.digest)
    bytes += head.bytes
  }
  return batch
}
