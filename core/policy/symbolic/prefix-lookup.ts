import {
  type AddressValue,
  type Identity,
  type PrefixIdentity,
  type PrefixValue,
  toPrefixValue,
  worldIdentity,
} from '@hyperward/model'

export interface PrefixLookup {
  /** Identity of an address that is no endpoint's: of the longest prefix around it, else the world's. */
  readonly ofAddress: (address: AddressValue) => Identity
  /** The same for what is inside a prefix and inside no longer one. */
  readonly ofPrefix: (prefix: PrefixValue) => Identity
}

export function createPrefixLookup(networks: readonly PrefixIdentity[]): PrefixLookup {
  const levels = new Map<string, Level>()
  for (const { prefix, identity } of networks) {
    const { family, length, number } = toPrefixValue(prefix)
    const key = `${family}/${length}`
    const shift = BigInt((family === 4 ? 32 : 128) - length)
    const level = levels.get(key) ?? { family, length, shift, byNumber: new Map() }
    level.byNumber.set(number >> shift, identity)
    levels.set(key, level)
  }
  const longestFirst = [...levels.values()].sort((a, b) => b.length - a.length)
  const search = ({ family, number }: AddressValue, below: number): Identity => {
    for (const level of longestFirst) {
      if (level.family !== family || level.length > below) continue
      const found = level.byNumber.get(number >> level.shift)
      if (found !== undefined) return found
    }
    return worldIdentity
  }
  return { ofAddress: (address) => search(address, 128), ofPrefix: (prefix) => search(prefix, prefix.length) }
}

interface Level {
  readonly family: 4 | 6
  readonly length: number
  readonly shift: bigint
  readonly byNumber: Map<bigint, Identity>
}
