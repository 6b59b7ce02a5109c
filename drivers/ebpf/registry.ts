import { known, unknown, type Observed } from '@hyperward/model'

import { decodeName } from './decode.ts'
import type { Libbpf } from './libbpf.ts'
import { renderKey, renderName } from './render.ts'

/**
 * Names and their indexes into a counting map, kept in a pinned map beside it: both live exactly as long. An index is never used again for another name,
 * so a counter never tells of two. Index 0 is nobody's: what finds no place counts there.
 */
export interface Registry<Name extends string> {
  /** Its index, made when there is none; 0 when the map is full or the name too long. */
  indexOf(name: Name): number
  nameOf(index: number): Name | null
  entries(): IterableIterator<readonly [Name, number]>
}

export function openRegistry<Name extends string>(
  bpf: Libbpf,
  fd: number,
  width: number,
  capacity: number,
): Observed<Registry<Name>> {
  const read = bpf.readAll(fd, 4, width, capacity)
  if (typeof read === 'number') return unknown(`names cannot be read back (errno ${-read})`)
  const indexes = new Map<Name, number>()
  const names = new Map<number, Name>()
  let last = 0
  for (let i = 0; i < read.count; i += 1) {
    const index = read.keys.readUInt32LE(i * 4)
    // written by this function alone, from a Name
    const name = decodeName(read.values.subarray(i * width, (i + 1) * width)) as Name
    indexes.set(name, index)
    names.set(index, name)
    last = Math.max(last, index)
  }
  return known({
    indexOf(name) {
      const found = indexes.get(name)
      if (found !== undefined) return found
      const value = renderName(name, width)
      const index = last + 1
      if (value === null || index >= capacity || bpf.update(fd, renderKey(index), value) < 0) return 0
      last = index
      indexes.set(name, index)
      names.set(index, name)
      return index
    },
    nameOf: (index) => names.get(index) ?? null,
    entries: () => indexes.entries(),
  })
}
