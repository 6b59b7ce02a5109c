/** Reads what nft holds of ours. */
import { known, unknown, type Observed } from '@hyperward/model'
import { exec } from '@hyperward/os'

import { decodeSkeleton, parseObjects } from './decode.ts'
import { families, table, type Family } from './names.ts'
import type { Skeleton } from './state.ts'

type Objects = ReturnType<typeof parseObjects> extends Observed<infer T> ? T : never

/** Names of chains, sets and counters; a table that is not there is empty. */
export async function observeSkeleton(): Promise<Observed<Skeleton>> {
  const objects = await listTables(['-t'])
  return objects.known ? known(decodeSkeleton(objects.value)) : objects
}

/** The families in which our table is. */
export async function observeTables(): Promise<Observed<readonly Family[]>> {
  // chains, not tables: of all that nft lists only they cost nothing for the elements of sets; none of our tables is without
  const listed = await runNft(['-j', 'list', 'chains'])
  if (!listed.known) return listed
  const ours = listed.value.flatMap(({ chain }) => (chain?.table === table ? [chain.family] : []))
  return known(families.filter((family) => ours.includes(family)))
}

/** All that our tables hold; `-t` leaves elements out. */
export async function listTables(flags: readonly string[] = []): Promise<Observed<Objects>> {
  const there = await observeTables()
  if (!there.known) return there
  const all: Objects[number][] = []
  for (const family of there.value) {
    const content = await runNft(['-j', '-s', '-n', '-n', ...flags, 'list', 'table', family, table])
    if (!content.known) return content
    all.push(...content.value)
  }
  return known(all)
}

export async function runNft(args: readonly string[]): Promise<Observed<Objects>> {
  try {
    const { code, stdout, stderr } = await exec('nft', args, { timeoutMs: 60_000 })
    return code === 0 ? parseObjects(stdout) : unknown(`nft cannot be read: ${stderr.trim().split('\n')[0] ?? ''}`)
  } catch (cause) {
    return unknown(`nft cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}
