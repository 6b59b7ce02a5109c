/** Changed pairs gathered into products: first the destinations of one source with one change, then the sources with the same destinations. */
export interface Rectangle<T> {
  readonly what: T
  readonly sources: readonly number[]
  readonly destinations: readonly number[]
}

export interface RowGroups<T> {
  /** Rows come one source at a time; `destinations` ascending. */
  readonly add: (what: T, source: number, destinations: readonly number[]) => void
  readonly list: () => readonly Rectangle<T>[]
}

export function createRowGroups<T>(): RowGroups<T> {
  const groups: DraftRectangle<T>[] = []
  const byWhat = new Map<T, Map<number, DraftRectangle<T>[]>>()
  return {
    add: (what, source, destinations) => {
      const byHash = byWhat.get(what) ?? new Map<number, DraftRectangle<T>[]>()
      byWhat.set(what, byHash)
      const hash = hashNumbers(destinations)
      const alike = byHash.get(hash) ?? []
      byHash.set(hash, alike)
      const same = alike.find((one) => sameNumbers(one.destinations, destinations))
      if (same !== undefined) {
        same.sources.push(source)
        return
      }
      const made = { what, sources: [source], destinations }
      alike.push(made)
      groups.push(made)
    },
    list: () => groups,
  }
}

interface DraftRectangle<T> extends Rectangle<T> {
  readonly sources: number[]
}

function hashNumbers(numbers: readonly number[]): number {
  let hash = numbers.length
  for (const number of numbers) hash = Math.imul(hash ^ number, 0x0100_0193) ^ (hash >>> 15)
  return hash
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, at) => number === b[at])
}
