/** Addresses as the fewest networks that hold these and no other; or, where asked, as the /24 (IPv4) or /64 (IPv6) around several of them. */
import {
  type Address,
  isPrefix,
  parsePrefix,
  type Prefix,
  type PrefixValue,
  toAddress,
  toAddressValue,
} from '@hyperward/model'

export function mergeNetworks(addresses: Iterable<Address>): readonly Prefix[] {
  const values = [...new Set(addresses)].map((address): PrefixValue => {
    const value = toAddressValue(address)
    return { ...value, length: value.family === 4 ? 32 : 128 }
  })
  let current = values
  for (;;) {
    const merged = mergeOnce(current)
    if (merged.length === current.length) return merged.map(toPrefix).sort()
    current = [...merged]
  }
}

/** Networks that hold at least this many of the addresses are taken whole, unless an endpoint is in them. */
const enoughToWiden = 4

export function createNetworkWidener(
  endpoints: readonly Address[],
): (addresses: Iterable<Address>) => readonly Prefix[] {
  const own = new Set(endpoints.map((address) => toPrefix(networkAround(address))))
  return (addresses) => {
    const around = Map.groupBy(new Set(addresses), (address) => toPrefix(networkAround(address)))
    return [...around]
      .flatMap(([prefix, inside]) =>
        inside.length >= enoughToWiden && !own.has(prefix) ? [prefix] : mergeNetworks(inside),
      )
      .sort()
  }
}

function networkAround(address: Address): PrefixValue {
  const { family, number } = toAddressValue(address)
  const shift = family === 4 ? 8n : 64n
  return { family, number: (number >> shift) << shift, length: family === 4 ? 24 : 64 }
}

function mergeOnce(prefixes: readonly PrefixValue[]): readonly PrefixValue[] {
  const parents = Map.groupBy(prefixes, ({ family, number, length }) => {
    const shift = BigInt((family === 4 ? 32 : 128) - length + 1)
    return `${family}/${length}/${number >> shift}`
  })
  return [...parents.values()].flatMap((halves) => {
    const [first] = halves
    if (halves.length !== 2 || first === undefined) return halves
    const shift = BigInt((first.family === 4 ? 32 : 128) - first.length + 1)
    return [{ family: first.family, number: (first.number >> shift) << shift, length: first.length - 1 }]
  })
}

function toPrefix({ family, number, length }: PrefixValue): Prefix {
  const prefix = parsePrefix(`${toAddress({ family, number })}/${length}`)
  if (!isPrefix(prefix)) throw new Error(`not a network: ${number}/${length}`)
  return prefix
}
