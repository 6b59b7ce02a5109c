/** Nested prefixes → ranges that do not overlap, as nft's intervals want them: each address has the identity of the longest prefix that contains it. */
import { toAddress, toPrefixValue, type Address, type Identity, type PrefixIdentity } from '@hyperward/model'

export interface IdentityRange {
  readonly from: Address
  readonly to: Address
  readonly identity: Identity
}

export function toRanges(networks: readonly PrefixIdentity[], family: 4 | 6): readonly IdentityRange[] {
  const bits = family === 4 ? 32n : 128n
  const prefixes = networks
    .map(({ prefix, identity }) => {
      const value = toPrefixValue(prefix)
      const from = value.number
      return { family: value.family, from, to: from + (1n << (bits - BigInt(value.length))) - 1n, identity }
    })
    .filter((one) => one.family === family)
    // an outer prefix before those inside it
    .sort((a, b) => (a.from === b.from ? (a.to > b.to ? -1 : 1) : a.from < b.from ? -1 : 1))
  const ranges: { from: bigint; to: bigint; identity: Identity }[] = []
  const open: { to: bigint; identity: Identity }[] = []
  let next = 0n
  const cut = (to: bigint): void => {
    const inner = open.at(-1)
    if (inner !== undefined && next <= to) ranges.push({ from: next, to, identity: inner.identity })
    next = to + 1n
  }
  for (const prefix of prefixes) {
    for (let inner = open.at(-1); inner !== undefined && inner.to < prefix.from; inner = open.at(-1)) {
      cut(inner.to)
      open.pop()
    }
    if (open.length > 0) cut(prefix.from - 1n)
    next = prefix.from
    open.push(prefix)
  }
  for (let inner = open.pop(); inner !== undefined; inner = open.pop()) {
    open.push(inner)
    cut(inner.to)
    open.pop()
  }
  return ranges.map(({ from, to, identity }) => ({
    from: toAddress({ family, number: from }),
    to: toAddress({ family, number: to }),
    identity,
  }))
}
