/** Services put together out of others, with a bound: a few lines could name each other into more ranges than memory holds. */
import type { GroupName, Service, ServiceEntry } from '@hyperward/model'

import { mergeEntries } from './parse-service.ts'

/** Most ranges that unions may copy in all. */
export const serviceUnionLimit = 2_000_000

export interface ServiceUnions {
  /** Null when a part is, or when the limit is reached. */
  readonly unite: (own: readonly ServiceEntry[], parts: readonly (Service | null)[]) => Service | null
  /** The same, and the same object for the same names. */
  readonly uniteNamed: (names: readonly (GroupName | null)[], parts: readonly (Service | null)[]) => Service | null
  /** True when something was left out for the limit. */
  readonly exhausted: () => boolean
}

export function createServiceUnions(): ServiceUnions {
  let left = serviceUnionLimit
  const named = new Map<string, Service>()
  const unite = (own: readonly ServiceEntry[], parts: readonly (Service | null)[]): Service | null => {
    const entries: ServiceEntry[] = [...own]
    for (const part of parts) {
      if (part === null || left < 0) return null
      if (part.kind === 'any') return part
      for (const { ranges } of part.entries) left -= ranges.length
      if (left >= 0) entries.push(...part.entries)
    }
    return left < 0 ? null : { kind: 'some', entries: mergeEntries(entries) }
  }
  return {
    unite,
    uniteNamed: (names, parts) => {
      const key = names.map(String).sort().join(' ')
      const known = named.get(key)
      if (known !== undefined) return known
      const service = unite([], parts)
      if (service !== null) named.set(key, service)
      return service
    },
    exhausted: () => left < 0,
  }
}
