/** A set of pairs of small numbers, as bit rows: thousands by thousands of pairs are marked in little time and room. */
export interface PairRows {
  readonly addProduct: (sources: readonly number[], destinations: readonly number[]) => void
  readonly has: (source: number, destination: number) => boolean
  readonly count: () => number
  /** Sources with a destination, ascending. */
  readonly sources: () => readonly number[]
  /** Ascending. */
  readonly destinationsOf: (source: number) => Iterable<number>
}

export function createPairRows(size: number): PairRows {
  const words = Math.ceil(size / 32)
  const rows = new Map<number, Uint32Array>()
  return {
    addProduct: (sources, destinations) => {
      if (sources.length === 0 || destinations.length === 0) return
      const mask = toBits(destinations, words)
      for (const source of sources) {
        const row = rows.get(source)
        if (row === undefined) rows.set(source, mask.slice())
        else for (let at = 0; at < words; at += 1) row[at] = (row[at] ?? 0) | (mask[at] ?? 0)
      }
    },
    has: (source, destination) => (((rows.get(source)?.[destination >>> 5] ?? 0) >>> (destination & 31)) & 1) === 1,
    count: () => {
      let total = 0
      for (const row of rows.values()) for (const word of row) total += countBits(word)
      return total
    },
    sources: () => [...rows.keys()].sort((a, b) => a - b),
    destinationsOf: (source) => listBits(rows.get(source) ?? new Uint32Array(0)),
  }
}

function toBits(numbers: readonly number[], words: number): Uint32Array {
  const bits = new Uint32Array(words)
  for (const number of numbers) bits[number >>> 5] = (bits[number >>> 5] ?? 0) | (1 << (number & 31))
  return bits
}

function* listBits(row: Uint32Array): Iterable<number> {
  for (const [at, word] of row.entries()) {
    for (let left = word; left !== 0; left &= left - 1) yield at * 32 + (31 - Math.clz32(left & -left))
  }
}

function countBits(word: number): number {
  let count = 0
  for (let left = word; left !== 0; left &= left - 1) count += 1
  return count
}
