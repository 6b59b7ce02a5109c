/**
 * A plan's content in chunks addressed by what is in them: hosts share chunks, an agent fetches those it does not hold, and a change costs what changed.
 *
 *   plan = sha256(JSON {format, host, sections: {<name>: digest, …}})
 *   section = sha256(digests of its chunks, one a line)
 *   chunk = sha256(JSON of its entries)
 *
 * Where a section is cut follows from its content: verdicts at each other (direction, local identity); rules at each other tenant; addresses, networks and
 * services where the hash of an entry says so, on average every 512; the rest not at all. The revision is not in it: an equal digest means nothing to do, whatever the revision.
 */
import {
  type AddressIdentity,
  type Digest,
  hostPlanFormat,
  type HostName,
  type HostPlanSections,
  parseDigest,
  type PlannedRule,
  type PrefixIdentity,
  type ServiceClass,
  type Verdict,
} from '@hyperward/model'

import { hashText } from '../resolve/assign-numbers.ts'

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

/** On average; the most is what a grinder of hashes could bring about. */
const chunkSize = 512
const chunkMost = 4096

/**
 * Cut before each entry whose key's hash says so, not at fixed places: an entry that comes or goes changes its own chunk and none behind it.
 * Given what was cut last, only chunks with another entry are digested anew.
 */
export function toSizedSection<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  sha256: Sha256,
  last?: { readonly items: readonly T[]; readonly section: PlanSection<T> },
): PlanSection<T> {
  if (last?.items === items) return last.section
  const isCut = (at: number, start: number): boolean => {
    const item = items[at]
    return item === undefined || at - start >= chunkMost || hashText(keyOf(item)) % chunkSize === 0
  }
  const byFirst = new Map(last?.section.chunks.map((chunk) => [chunk.items[0], chunk]))
  const chunks: SectionChunk<T>[] = []
  for (let start = 0; start < items.length;) {
    const known = byFirst.get(items[start])
    if (known !== undefined && isSlice(known.items, items, start) && isCut(start + known.items.length, start)) {
      chunks.push(known)
      start += known.items.length
    } else {
      let end = start + 1
      while (!isCut(end, start)) end += 1
      chunks.push(toChunk(items.slice(start, end), sha256))
      start = end
    }
  }
  return toSection(chunks, sha256)
}

function isSlice<T>(slice: readonly T[], items: readonly T[], start: number): boolean {
  for (let index = 0; index < slice.length; index += 1) if (slice[index] !== items[start + index]) return false
  return true
}

/** What the entries of a section that is cut by hash are told apart by. */
export const chunkKeys = {
  addresses: (entry: AddressIdentity): string => entry.address,
  networks: (entry: PrefixIdentity): string => entry.prefix,
  services: (entry: ServiceClass): string => `${entry.protocol}/${entry.from}`,
} as const

export function digestPlan(host: HostName, sections: PlanSections, sha256: Sha256): Digest {
  // host names and digests need no escapes in JSON
  let parts = ''
  for (const name of sectionNames) parts += `${parts === '' ? '' : ','}"${name}":"${sections[name].digest}"`
  return digestText(`{"format":${hostPlanFormat},"host":"${host}","sections":{${parts}}}`, sha256)
}

/** Every section cut and digested from the entries alone: what an agent computes over the plan it was sent. */
export function cutSections(sections: HostPlanSections, sha256: Sha256): PlanSections {
  const { endpoints, zones, addresses, networks, services, verdicts, rules } = sections
  return {
    endpoints: toWholeSection(endpoints, sha256),
    zones: toWholeSection(zones, sha256),
    addresses: toSizedSection(addresses, chunkKeys.addresses, sha256),
    networks: toSizedSection(networks, chunkKeys.networks, sha256),
    services: toSizedSection(services, chunkKeys.services, sha256),
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
