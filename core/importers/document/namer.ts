import { isName, nameMaxLength } from '@hyperward/model'

/** Gives each original name one that the language accepts, and no two the same. The same original always gets the same. */
export interface Namer {
  readonly name: (original: string, fallback: string) => string
}

const taken = new Set(['any', 'provider', 'common'])

export function createNamer(): Namer {
  const used = new Set<string>(taken)
  /** The number to go on with, by name: thousands of one name must not be counted through each time. */
  const next = new Map<string, number>()
  return {
    name: (original, fallback) => {
      const base = toName(original) ?? toName(fallback) ?? 'unnamed'
      let name = base
      let n = next.get(base) ?? 2
      for (; used.has(name); n += 1) {
        const tail = `-${n}`
        name = `${cut(base, nameMaxLength - tail.length)}${tail}`
      }
      next.set(base, n)
      used.add(name)
      return name
    },
  }
}

/** Null when nothing of it can stand in a name. */
export function toName(text: string): string | null {
  const spaced = text.normalize('NFC').replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
  const name = cut(spaced.replace(/^[._-]+/, ''), nameMaxLength)
  return isName(name) ? name : null
}

/** Cut by whole characters, and with no separator at the end. */
function cut(text: string, length: number): string {
  let kept = ''
  for (const character of text) {
    if (kept.length + character.length > length) break
    kept += character
  }
  return kept.replace(/[._-]+$/, '')
}
