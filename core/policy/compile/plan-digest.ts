/**
 * The digest of a plan: a tree, so that what hosts share is digested once and a change costs what changed.
 *
 *   plan = sha256(JSON {format, host, sections: {<name>: digest, …}})
 *   section = sha256(its canonical JSON text), but
 *   addresses = sha256(digests of its chunks of 512 entries, one a line),
 *   verdicts = sha256(digests of its blocks, one a line); a block is the rows of one (direction, local), its text
 *   [direction, local, [[peer, class, action, ref of the rule], …]]: refs, not indexes, so that it is the same on every host.
 *
 * The revision is not in it: an equal digest means nothing to do, whatever the revision.
 */
import {
  type Action,
  type AddressIdentity,
  type Digest,
  type Direction,
  hostPlanFormat,
  type HostName,
  type HostPlanSections,
  type Identity,
  parseDigest,
  type RuleRef,
} from '@hyperward/model'

/** SHA-256 of the UTF-8 bytes of a text, as 64 lower-case hex digits. Passed in: the core has no crypto of its own. */
export type Sha256 = (text: string) => string

export type SectionDigests = Readonly<Record<keyof HostPlanSections, Digest>>

export interface BlockRow {
  readonly peer: Identity
  readonly class: number
  readonly action: Action
  readonly ref: RuleRef
}

export function digestText(text: string, sha256: Sha256): Digest {
  const digest = parseDigest(sha256(text))
  if (digest === null) throw new Error('sha256 gave something else than 64 hex digits')
  return digest
}

export function digestSection(
  section: HostPlanSections[Exclude<keyof HostPlanSections, 'verdicts'>],
  sha256: Sha256,
): Digest {
  return digestText(JSON.stringify(section), sha256)
}

export interface ChunkedDigest {
  readonly digest: Digest
  readonly chunks: readonly Digest[]
}

/** Given what was digested last, only chunks with another entry are digested anew. */
export function digestAddresses(
  addresses: readonly AddressIdentity[],
  sha256: Sha256,
  last?: { readonly addresses: readonly AddressIdentity[]; readonly digest: ChunkedDigest },
): ChunkedDigest {
  if (last?.addresses === addresses) return last.digest
  const chunks: Digest[] = []
  for (let start = 0; start < addresses.length; start += chunkSize) {
    const end = Math.min(start + chunkSize, addresses.length)
    const known =
      last !== undefined && sameSlice(addresses, last.addresses, start, end)
        ? last.digest.chunks[chunks.length]
        : undefined
    chunks.push(known ?? digestText(JSON.stringify(addresses.slice(start, end)), sha256))
  }
  return { digest: digestText(chunks.join('\n'), sha256), chunks }
}

const chunkSize = 512

function sameSlice(a: readonly AddressIdentity[], b: readonly AddressIdentity[], start: number, end: number): boolean {
  // the last chunk is whole only when both lists end with it
  if (end - start < chunkSize && a.length !== b.length) return false
  for (let index = start; index < end; index += 1) if (a[index] !== b[index]) return false
  return true
}

export function digestBlock(direction: Direction, local: Identity, rows: readonly BlockRow[], sha256: Sha256): Digest {
  const told = rows.map((row) => [row.peer, row.class, row.action, row.ref])
  return digestText(JSON.stringify([direction, local, told]), sha256)
}

export function digestBlocks(blocks: readonly Digest[], sha256: Sha256): Digest {
  return digestText(blocks.join('\n'), sha256)
}

export function digestPlan(host: HostName, digests: SectionDigests, sha256: Sha256): Digest {
  const { endpoints, zones, addresses, networks, services, verdicts, rules } = digests
  const sections = { endpoints, zones, addresses, networks, services, verdicts, rules }
  return digestText(JSON.stringify({ format: hostPlanFormat, host, sections }), sha256)
}

/** Every section's digest from the sections alone: what an agent computes over the plan it was sent. */
export function digestSections(sections: HostPlanSections, sha256: Sha256): SectionDigests {
  const { endpoints, zones, addresses, networks, services, rules } = sections
  return {
    endpoints: digestSection(endpoints, sha256),
    zones: digestSection(zones, sha256),
    addresses: digestAddresses(addresses, sha256).digest,
    networks: digestSection(networks, sha256),
    services: digestSection(services, sha256),
    verdicts: digestBlocks(blockDigests(sections, sha256), sha256),
    rules: digestSection(rules, sha256),
  }
}

function blockDigests({ verdicts, rules }: HostPlanSections, sha256: Sha256): readonly Digest[] {
  const digests: Digest[] = []
  for (let start = 0; start < verdicts.length;) {
    const first = verdicts[start]
    if (first === undefined) break
    let end = start
    const rows: BlockRow[] = []
    for (
      let row = verdicts[end];
      row?.direction === first.direction && row.local === first.local;
      row = verdicts[end]
    ) {
      const ref = rules[row.rule]?.ref
      if (ref === undefined) throw new Error('a verdict names a rule that is not in the plan')
      rows.push({ peer: row.peer, class: row.class, action: row.action, ref })
      end += 1
    }
    digests.push(digestBlock(first.direction, first.local, rows, sha256))
    start = end
  }
  return digests
}
