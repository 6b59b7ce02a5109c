/**
 * How a plan travels: by content, in three questions, so that only what an agent does not hold is sent and no frame limits a plan's size.
 *   fetch-plan     → plan-sections   the digest of each section
 *   fetch-sections → plan-section…   of those that differ, the digests of their chunks, in pages
 *   fetch-chunks   → plan-chunks…    the texts of those not held
 * A chunk is a JSON array of the section's items: its digest is the SHA-256 of its text, a section's that of its chunks' digests, one a line.
 */
import { z } from 'zod'

const digest = z.string().regex(/^[0-9a-f]{64}$/)

/** The sections of a plan, in the order of its canonical text (core/model HostPlanSections). */
export const planSectionNames = [
  'endpoints',
  'zones',
  'addresses',
  'networks',
  'services',
  'verdicts',
  'rules',
] as const

export type PlanSectionName = (typeof planSectionNames)[number]

/** What either side takes; a plan beyond is refused where it is published. */
export const planLimits = {
  planBytes: 256 * 1024 * 1024,
  /** As text; its frame may be twice as large. */
  chunkBytes: 16 * 1024 * 1024,
  chunksPerPlan: 262_144,
  /** Digests in one `plan-section`. */
  pageChunks: 4096,
  /** Digests in one `fetch-chunks`. */
  askedChunks: 512,
  /** Asked for at once, and sent in one frame, unless a single chunk is larger. */
  batchBytes: 1024 * 1024,
} as const

const chunkHead = z.strictObject({ digest, bytes: z.number().int().min(2).max(planLimits.chunkBytes) })
const chunkText = z.strictObject({ digest, body: z.string().min(2).max(planLimits.chunkBytes) })
const chunkCount = z.number().int().min(0).max(planLimits.chunksPerPlan)

export const fetchMessageSchemas = [
  z.strictObject({ kind: z.literal('fetch-plan'), digest }),
  z.strictObject({
    kind: z.literal('fetch-sections'),
    /** Of the plan. */
    digest,
    sections: z.array(z.enum(planSectionNames)).min(1).max(planSectionNames.length),
  }),
  z.strictObject({
    kind: z.literal('fetch-chunks'),
    digest,
    chunks: z.array(digest).min(1).max(planLimits.askedChunks),
  }),
] as const

export const planMessageSchemas = [
  z.strictObject({
    kind: z.literal('plan-sections'),
    revision: z.number().int().nonnegative(),
    digest,
    sections: z.strictObject({
      endpoints: digest,
      zones: digest,
      addresses: digest,
      networks: digest,
      services: digest,
      verdicts: digest,
      rules: digest,
    } satisfies Record<PlanSectionName, typeof digest>),
  }),
  z.strictObject({
    kind: z.literal('plan-section'),
    digest,
    section: z.enum(planSectionNames),
    /** How many chunks of it went before this page, and how many there are. */
    from: chunkCount,
    total: chunkCount,
    chunks: z.array(chunkHead).max(planLimits.pageChunks),
  }),
  z.strictObject({
    kind: z.literal('plan-chunks'),
    digest,
    chunks: z.array(chunkText).min(1).max(planLimits.askedChunks),
  }),
] as const

export type FetchMessage = z.infer<(typeof fetchMessageSchemas)[number]>
export type PlanMessage = z.infer<(typeof planMessageSchemas)[number]>
export type ChunkHead = z.infer<typeof chunkHead>
export type ChunkText = z.infer<typeof chunkText>
export type SectionDigestTexts = Readonly<Record<PlanSectionName, string>>
