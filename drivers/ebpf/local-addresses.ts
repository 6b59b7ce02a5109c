import {
  prefixContains,
  toAddressValue,
  toPrefixValue,
  worldIdentity,
  type Address,
  type AddressIdentity,
  type HostPlanSections,
  type Identity,
  type PrefixIdentity,
} from '@hyperward/model'

/**
 * The plan's addresses, and besides those of endpoints here that the plan gives no identity of their own: the table also says who owns an address.
 * They get the identity that the look-up would find without the entry.
 */
export function toLocalAddresses(
  sections: HostPlanSections,
  owners: ReadonlyMap<Address, number>,
): readonly AddressIdentity[] {
  const missing = new Set(owners.keys())
  for (const { address } of sections.addresses) {
    if (missing.size === 0) break
    missing.delete(address)
  }
  if (missing.size === 0) return sections.addresses
  const extra = [...missing].sort().map((address) => ({ address, identity: longestMatch(sections.networks, address) }))
  return [...sections.addresses, ...extra]
}

export function longestMatch(networks: readonly PrefixIdentity[], address: Address): Identity {
  const value = toAddressValue(address)
  let best = -1
  let identity = worldIdentity
  for (const network of networks) {
    const prefix = toPrefixValue(network.prefix)
    if (prefix.length > best && prefixContains(prefix, value)) {
      best = prefix.length
      identity = network.identity
    }
  }
  return identity
}
