/**
 * A plan's content in chunks addressed by what is in them: hosts share chunks, an agent fetches those it does not hold, and a change costs what changed.
 *
 *   plan = sha256(JSON {format, host, sections: {<name>: digest, …}})
 *   section = sha256(digests of its chunks, one a line)
 *   chunk = sha256(JSON of its entries)
 *
 * Where a section is cut follows from its content: verdicts at each other (direction, local identity); rules at each other tenant; addresses, networks and
 * services every 512 entries; the rest not at all. The revision is not in it: an equal digest means nothing to do, whatever the revision.
 */
import {
  type Digest,
  hostPlanFormat,
  type HostName,
  type HostPlanSections,
  parseDigest,
  type PlannedRule,
  type Verdict,
} from '@hyperward/model'

/** SHA-256 of the UTF-8 bytes of a text, as 64 lower-case hex digits. Passed in: the core has no crypto of its own. */
export type Sha256 = (text: string) => string

export interface SectionChunk<T = unknown> {
  readonly digest: Digest
  readonly items: readonly T[]
}

export interface PlanSection<T = unknown> {
  readonly digest: Digest
  readonly chunks: readonly SectionChunk<T>[]
}

export type PlanSections = { readonly [K in SectionName]: PlanSection<HostPlanSections[K][number]> }
export type SectionName = keyof HostPlanSections

/** In the order of a plan's canonical text. */
export const sectionNames = [
  'endpoints',
  'zones',
  'addresses',
  'networks',
  'services',
  'verdicts',
  'rules',
] as const satisfies readonly SectionName[]

export function digestText(text: string, sha256: Sha256): Digest {
  const digest = parseDigest(sha256(text))
  if (digest === null) throw new Error('sha256 gave something else than 64 hex digits')
  return digest
}

export function toChunk<T>(items: readonly T[], sha256: Sha256): SectionChunk<T> {
  return { digest: digestText(JSON.stringify(items), sha256), items }
}

export function toSection<T>(chunks: readonly SectionChunk<T>[], sha256: Sha256): PlanSection<T> {
  return { digest: digestText(chunks.map((chunk) => chunk.digest).join('\n'), sha256), chunks }
}

/** Nothing is no chunk. */
export function toWholeSection<T>(items: readonly T[], sha256: Sha256): PlanSection<T> {
  return toSection(items.length === 0 ? [] : [toChunk(items, sha256)], sha256)
}

const chunkSize = 512

/** Given what was cut last, only chunks with another entry are digested anew. */
export function toSizedSection<T>(
  items: readonly T[],
  sha256: Sha256,
  last?: { readonly items: readonly T[]; readonly section: PlanSection<T> },
): PlanSection<T> {
  if (last?.items === items) return last.section
  const chunks: SectionChunk<T>[] = []
  for (let start = 0; start < items.length; start += chunkSize) {
    const known = last?.section.chunks[chunks.length]
    const end = Math.min(start + chunkSize, items.length)
    chunks.push(
      known !== undefined && isSlice(known.items, items, start, end) ? known : toChunk(items.slice(start, end), sha256),
    )
  }
  return toSection(chunks, sha256)
}

function isSlice<T>(slice: readonly T[], items: readonly T[], start: number, end: number): boolean {
  if (slice.length !== end - start) return false
  for (let index = start; index < end; index += 1) if (slice[index - start] !== items[index]) return false
  return true
}

export function digestPlan(host: HostName, sections: PlanSections, sha256: Sha256): Digest {
  // host names and digests need no escapes in JSON
  const parts = sectionNames.map((name) => `"${name}":"${sections[name].digest}"`)
  return digestText(`{"format":${hostPlanFormat},"host":"${host}","sections":{${parts.join(',')}}}`, sha256)
}

/** Every section cut and digested from the entries alone: what an agent computes over the plan it was sent. */
export function cutSections(sections: HostPlanSections, sha256: Sha256): PlanSections {
  const { endpoints, zones, addresses, networks, services, verdicts, rules } = sections
  return {
    endpoints: toWholeSection(endpoints, sha256),
    zones: toWholeSection(zones, sha256),
    addresses: toSizedSection(addresses, sha256),
    networks: toSizedSection(networks, sha256),
    services: toSizedSection(services, sha256),
    verdicts: cutWhere(verdicts, isOtherBlock, sha256),
    rules: cutWhere(rules, isOtherOwner, sha256),
  }
}

function isOtherBlock(a: Verdict, b: Verdict): boolean {
  return a.direction !== b.direction || a.local !== b.local
}

function isOtherOwner(a: PlannedRule, b: PlannedRule): boolean {
  return a.tenant !== b.tenant
}

function cutWhere<T>(items: readonly T[], isOther: (a: T, b: T) => boolean, sha256: Sha256): PlanSection<T> {
  const chunks: SectionChunk<T>[] = []
  let start = 0
  for (let at = 1; at <= items.length; at += 1) {
    const [before, next] = [items[at - 1], items[at]]
    if (before === undefined || (next !== undefined && !isOther(before, next))) continue
    chunks.push(toChunk(items.slice(start, at), sha256))
    start = at
  }
  return toSection(chunks, sha256)
}
