/**
 * Numbers made from content: each text gets a number from its hash, so that what is added or removed elsewhere does not renumber the rest.
 * Two texts that want one number are settled by (hash, text) order and linear probing: the same set always gives the same numbers.
 */
export function assignNumbers(
  texts: Iterable<string>,
  range: { readonly first: number; readonly last: number },
  hash: (text: string) => number = hashText,
): ReadonlyMap<string, number> {
  const size = range.last - range.first + 1
  const wanted = [...new Set(texts)].map((text) => ({ text, wanted: hash(text) % size }))
  if (wanted.length > size) throw new Error(`more than ${size} numbers wanted: ${wanted.length}`)
  wanted.sort((a, b) => a.wanted - b.wanted || (a.text < b.text ? -1 : 1))
  const taken = new Set<number>()
  const numbers = new Map<string, number>()
  for (const { text, wanted: first } of wanted) {
    let offset = first
    while (taken.has(offset)) offset = (offset + 1) % size
    taken.add(offset)
    numbers.set(text, range.first + offset)
  }
  return numbers
}

/** FNV-1a over UTF-16 units with the finisher of MurmurHash3: spreads, and is no secret. Collisions are settled, so strength is not needed. */
export function hashText(text: string): number {
  let hash = 0x811c_9dc5
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    hash = Math.imul(hash ^ (unit & 0xff), 0x0100_0193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x0100_0193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
