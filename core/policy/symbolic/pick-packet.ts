import { type Packet, typeProtocols } from '@hyperward/model'

import { highestValue } from '../resolve/service-table.ts'
import type { AddressAtom, AddressAtoms, Family } from './overlay-addresses.ts'
import type { ServiceAtom, ServiceAtoms } from './refine-services.ts'

/** A packet of the two address atoms and the service atom; null when there is none: ICMP of one family is none of the other's. */
export function pickPacket(
  { examplePair, familiesOfPair }: AddressAtoms,
  { protocols }: ServiceAtoms,
  pair: { readonly source: AddressAtom; readonly destination: AddressAtom; readonly service: ServiceAtom },
): Packet | null {
  for (const family of familiesOfPair(pair.source, pair.destination)) {
    const found = examplePair(pair.source, pair.destination, family)
    const chosen = pickProtocol(pair.service, protocols, family)
    if (found !== null && chosen !== null) return { source: found[0], destination: found[1], ...chosen }
  }
  return null
}

function pickProtocol(
  { ranges, others }: ServiceAtom,
  protocols: ReadonlySet<number>,
  family: Family,
): Pick<Packet, 'protocol' | 'port'> | null {
  const foreign = family === 4 ? typeProtocols.icmpv6 : typeProtocols.icmp
  const range = ranges.find(({ protocol }) => protocol !== foreign)
  if (range !== undefined) return toService(range.protocol, range.from)
  if (!others) return null
  for (const protocol of [6, 17, 132, ...Array.from({ length: 256 }, (_, number) => number)]) {
    if (!protocols.has(protocol) && protocol !== foreign) return toService(protocol, 1)
  }
  return null
}

function toService(protocol: number, value: number): Pick<Packet, 'protocol' | 'port'> {
  return highestValue(protocol) === 0 ? { protocol } : { protocol, port: value }
}
