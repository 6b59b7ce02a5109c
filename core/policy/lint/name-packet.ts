/** A packet by classes, in the names of things a person knows: one VM or network of each class, and a service. */
import type { Address, Identity } from '@hyperward/model'

import { describeRange } from '../symbolic/describe-services.ts'
import { linkLocalAddress } from '../resolve/link-local-address.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import type { PacketClass } from './survey-rules.ts'

export interface NamedPacket {
  readonly source: string
  readonly destination: string
  readonly service: string
}

export function createPacketNamer(resolved: ResolvedPolicy): (packet: PacketClass) => NamedPacket {
  const names = new Map<Identity, string>()
  const nameOf = (identity: Identity): string => {
    if (names.size === 0) for (const [key, name] of nameClasses(resolved)) names.set(key, name)
    return names.get(identity) ?? 'world'
  }
  const serviceOf = (number: number | null): string => {
    const range = resolved.index.services.classes.find((entry) => entry.class === number)
    return range === undefined ? 'any' : describeRange(range)
  }
  return ({ direction, local, peer, service }) => {
    const [own, other] = [nameOf(local.class.identity), nameOf(peer.class.identity)]
    const [source, destination] = direction === 'egress' ? [own, other] : [other, own]
    return { source, destination, service: serviceOf(service) }
  }
}

/** The first VM in each class, or a network. */
function nameClasses({ inventory, addresses, networks }: ResolvedPolicy): ReadonlyMap<Identity, string> {
  const vms = new Map<Address, string>()
  for (const { tenant, name, endpoints } of inventory.vms) {
    if (tenant === null) continue
    for (const { mac, addresses: own } of endpoints)
      for (const address of [...own, linkLocalAddress(mac)]) vms.set(address, `${tenant}/${name}`)
  }
  const names = new Map<Identity, string>()
  for (const { address, identity } of addresses)
    if (!names.has(identity)) names.set(identity, vms.get(address) ?? address)
  for (const { prefix, identity } of networks) if (!names.has(identity)) names.set(identity, prefix)
  return names
}
