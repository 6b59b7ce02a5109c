/** nft's JSON → what stands in our tables. Not understood is unknown, never empty. */
import { known, unknown, type Observed } from '@hyperward/model'

import { decodeElement } from './elements.ts'
import { families, table, type Family } from './names.ts'
import { id, type Skeleton } from './state.ts'

interface NftObject {
  readonly chain?: Named & { readonly hook?: string; readonly dev?: string; readonly policy?: string }
  readonly set?: Named & { readonly elem?: readonly unknown[] }
  readonly map?: Named & { readonly elem?: readonly unknown[] }
  readonly limit?: Named
  readonly counter?: Named & { readonly packets?: number; readonly bytes?: number }
  readonly rule?: {
    readonly family?: string
    readonly table?: string
    readonly chain?: string
    readonly expr?: unknown
  }
}

interface Named {
  readonly family?: string
  readonly table?: string
  readonly name?: string
}

export function parseObjects(json: string): Observed<readonly NftObject[]> {
  try {
    // nft's own output; each member is looked at before it is used
    return known((JSON.parse(json) as { readonly nftables: readonly NftObject[] }).nftables)
  } catch (cause) {
    return unknown(`nft's answer is no JSON: ${String(cause)}`)
  }
}

export function decodeSkeleton(objects: readonly NftObject[]): Skeleton {
  const chains = new Set<string>()
  const sets = new Map<string, 'set' | 'map'>()
  const counters = new Set<string>()
  const limits = new Set<string>()
  for (const { chain, set, map, counter, limit } of objects) {
    if (isOurs(limit)) limits.add(limit.name)
    if (isOurs(chain)) chains.add(id(chain.family, chain.name))
    if (isOurs(set)) sets.set(id(set.family, set.name), 'set')
    if (isOurs(map)) sets.set(id(map.family, map.name), 'map')
    if (isOurs(counter)) counters.add(counter.name)
  }
  return { kind: 'skeleton', chains, sets, counters, limits }
}

/** Number of rules by `family name` of a chain. */
export function countRules(objects: readonly NftObject[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { chain } of objects) if (isOurs(chain)) counts.set(id(chain.family, chain.name), 0)
  for (const { rule } of objects) {
    if (rule === undefined || rule.table !== table) continue
    const key = `${rule.family} ${rule.chain}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** By `family name` of a chain: hook, policy and rules as nft tells them, without what counts. Two tellings differ when somebody changed the chain. */
export function fingerprint(objects: readonly NftObject[]): ReadonlyMap<string, string> {
  const prints = new Map<string, string>()
  for (const { chain } of objects) {
    if (isOurs(chain)) prints.set(id(chain.family, chain.name), JSON.stringify([chain.hook, chain.dev, chain.policy]))
  }
  for (const { rule } of objects) {
    if (rule === undefined || rule.table !== table) continue
    const key = `${rule.family} ${rule.chain}`
    prints.set(key, `${prints.get(key) ?? ''}\n${JSON.stringify(rule.expr)}`)
  }
  return prints
}

export interface Count {
  readonly packets: number
  readonly bytes: number
}

export function decodeCounters(objects: readonly NftObject[]): ReadonlyMap<string, Count> {
  return new Map(
    objects.flatMap(({ counter }) =>
      isOurs(counter) ? [[counter.name, { packets: counter.packets ?? 0, bytes: counter.bytes ?? 0 }]] : [],
    ),
  )
}

/** Elements of a set whose packets are counted: its key's parts as text, and how many. */
export function decodeCounted(
  objects: readonly NftObject[],
  name: string,
): readonly (readonly [readonly string[], number])[] {
  return objects.flatMap(({ set }) => {
    if (set?.name !== name) return []
    return (set.elem ?? []).flatMap((element) => {
      // as: nft's own output; whatever has no such members is passed over
      const { elem } = element as { readonly elem?: { readonly val?: unknown; readonly counter?: Count } }
      const parts = (elem?.val as { readonly concat?: readonly unknown[] } | undefined)?.concat
      return parts === undefined || elem?.counter === undefined
        ? []
        : [[parts.map(String), elem.counter.packets] as const]
    })
  })
}

/** By `family name` of set or map: key to value, in the spelling of elements.ts. What packets fill is left out. */
export function decodeElements(
  objects: readonly NftObject[],
  names: ReadonlyMap<string, number>,
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  return new Map(
    objects.flatMap(({ set, map }) => {
      const one = set ?? map
      if (!isOurs(one)) return []
      const plain = (one.elem ?? []).filter((element) => !isCounted(element))
      return [[id(one.family, one.name), new Map(plain.map((element) => decodeElement(element, names)))] as const]
    }),
  )
}

function isCounted(element: unknown): boolean {
  return typeof element === 'object' && element !== null && 'elem' in element
}

function isOurs<T extends Named>(one: T | undefined): one is T & { readonly family: Family; readonly name: string } {
  return one?.table === table && one.name !== undefined && families.some((family) => family === one.family)
}
