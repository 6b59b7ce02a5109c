/** Reach against every packet of a small universe judged by the reference. */
import { type Address, type Packet, prefixContains, toAddressValue, toPrefixValue } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { resolve } from '../resolve/resolve.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { referenceFate, referenceVerdict } from '../testing/reference-verdict.ts'
import {
  arbitrarySmallInventory,
  arbitrarySmallPolicy,
  listSmallPackets,
  smallAddresses,
} from '../testing/small-universe.ts'
import { type ReachEntry, reachOf } from './reach-of.ts'

test('a packet passes exactly when one entry has it, at both its ends, with the verdict and the rules of the reference', () => {
  fc.assert(
    fc.property(
      arbitrarySmallPolicy,
      arbitrarySmallInventory,
      fc.subarray([...smallAddresses], { minLength: 1, maxLength: 3 }),
      (policy, inventory, asked) => {
        const resolved = resolve(policy, inventory)
        const { incoming, outgoing } = reachOf(resolved, asked)
        const seen = new Set<ReachEntry>()
        for (const packet of listSmallPackets(inventory)) {
          const verdict = referenceFate(policy, inventory, packet)
          const passes = verdict === 'allow' || verdict === 'allow-stateless' || verdict === 'inspect'
          const [egress, ingress] = (['egress', 'ingress'] as const).map(
            (direction) => referenceVerdict(policy, inventory, packet, direction)?.ref ?? null,
          )
          const ends = [
            { entries: outgoing, own: packet.source, peer: packet.destination },
            { entries: incoming, own: packet.destination, peer: packet.source },
          ]
          for (const { entries, own, peer } of ends) {
            if (!asked.includes(own)) continue
            const found = entries.filter((entry) => has(resolved, entry, packet, own, peer))
            for (const entry of found) seen.add(entry)
            const told = found.map((entry) => [packet, entry.verdict, entry.egress, entry.ingress])
            if (passes || told.length > 0) expect(told).toEqual(passes ? [[packet, verdict, egress, ingress]] : [])
          }
        }
        expect(seen.size).toBe(incoming.length + outgoing.length)
      },
    ),
    { seed: 91, numRuns: 150 },
  )
})

function has(resolved: ResolvedPolicy, entry: ReachEntry, packet: Packet, own: Address, peer: Address): boolean {
  const { ranges, others } = entry.services
  const { protocol, port = 0 } = packet
  const named = resolved.index.services.classes.some((one) => one.protocol === protocol)
  const served = ranges.some((range) => range.protocol === protocol && range.from <= port && port <= range.to)
  if (!entry.addresses.includes(own) || !(served || (others && !named))) return false
  if (resolved.addresses.some(({ address }) => address === peer)) {
    return entry.peers.some(({ addresses }) => addresses.includes(peer))
  }
  const around = resolved.networks
    .map(({ prefix }) => ({ prefix, value: toPrefixValue(prefix) }))
    .filter(({ value }) => prefixContains(value, toAddressValue(peer)))
    .sort((a, b) => b.value.length - a.value.length)[0]
  return entry.peers.some(({ networks, world }) => (around === undefined ? world : networks.includes(around.prefix)))
}
