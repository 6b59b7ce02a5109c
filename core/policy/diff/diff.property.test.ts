/** The difference of two policies, or of one under two inventories, against every packet of a small universe judged by the reference. */
import {
  type Address,
  type Inventory,
  type Packet,
  type Policy,
  prefixContains,
  toAddressValue,
  toPrefixValue,
} from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { resolve } from '../resolve/resolve.ts'
import { type AddressAtom, overlayAddresses } from '../symbolic/overlay-addresses.ts'
import { referenceFate, referenceVerdict } from '../testing/reference-verdict.ts'
import {
  arbitrarySmallGroups,
  arbitrarySmallInventory,
  arbitrarySmallPolicy,
  arbitrarySmallRule,
  listSmallPackets,
  smallAddresses,
} from '../testing/small-universe.ts'
import { type DiffEntry, diffPolicies } from './diff-policies.ts'

interface World {
  readonly policy: Policy
  readonly inventory: Inventory
}

/** Rules put in, taken out, moved; groups filled in another way; another inventory: one or all at once. */
const arbitraryChange: fc.Arbitrary<readonly [World, World]> = fc
  .record({
    policy: arbitrarySmallPolicy,
    inventory: arbitrarySmallInventory,
    what: fc.constantFrom('rule', 'rule', 'moved', 'groups', 'inventory', 'all'),
    rule: arbitrarySmallRule,
    at: fc.nat(8),
    groups: arbitrarySmallGroups,
    other: arbitrarySmallInventory,
  })
  .map(({ policy, inventory, what, rule, at, groups, other }) => {
    const rules = {
      rule: policy.rules.toSpliced(at, 1, rule(`r${at}`)),
      moved: [...policy.rules.slice(1), ...policy.rules.slice(0, 1)],
      groups: policy.rules,
      inventory: policy.rules,
      all: policy.rules.toSpliced(at, 1, rule('new')).toReversed(),
    }[what]
    const refilled = what === 'groups' || what === 'all' ? groups : policy.groups
    return [
      { policy, inventory },
      {
        policy: what === 'inventory' ? policy : { ...policy, rules, groups: refilled },
        inventory: what === 'inventory' || what === 'all' ? other : inventory,
      },
    ]
  })

test('a packet changes its fate exactly when one entry of the difference has it, from and to what the entry says and by its rules', () => {
  fc.assert(
    fc.property(arbitraryChange, ([before, after]) => {
      const [first, second] = [before, after].map(({ policy, inventory }) => resolve(policy, inventory))
      if (first === undefined || second === undefined) return
      const diff = diffPolicies(first, second)
      expect([diff.unchecked, diff.total]).toEqual([0, diff.entries.length])
      const { atoms } = overlayAddresses([first, second])
      const protocols = new Set(
        [first, second].flatMap((one) => one.index.services.classes.map((entry) => entry.protocol)),
      )
      const keys = new Map(smallAddresses.map((address) => [address, keyOf(atomOf(atoms, address))]))
      const entryList = diff.entries.map((entry) => ({
        entry,
        sources: new Set(entry.sources.map(keyOf)),
        destinations: new Set(entry.destinations.map(keyOf)),
      }))
      const seen = new Set<DiffEntry>()
      // a VM's own packets, of either inventory, are none of the network's
      const others = new Set(listSmallPackets(after.inventory).map((packet) => JSON.stringify(packet)))
      for (const packet of listSmallPackets(before.inventory)) {
        if (!others.has(JSON.stringify(packet))) continue
        const [old, now] = [fateOf(before, packet), fateOf(after, packet)]
        const [from = '', to = ''] = [keys.get(packet.source), keys.get(packet.destination)]
        const entries = entryList
          .filter(
            ({ entry, sources, destinations }) =>
              sources.has(from) && destinations.has(to) && serves(entry, packet, protocols),
          )
          .map(({ entry }) => entry)
        const told = entries.map((entry) => [
          packet,
          { action: entry.before.action, profile: entry.before.profile },
          { action: entry.after.action, profile: entry.after.profile },
        ])
        const changed = old.action !== now.action || old.profile !== now.profile
        if (changed || told.length > 0) expect(told).toEqual(changed ? [[packet, old, now]] : [])
        for (const entry of entries) {
          expect(refsOf(before, packet)).toContain(entry.before.rule)
          expect(refsOf(after, packet)).toContain(entry.after.rule)
          seen.add(entry)
        }
      }
      expect(seen.size).toBe(diff.entries.length)
    }),
    { seed: 20_261_101, numRuns: 50 },
  )
})

function fateOf({ policy, inventory }: World, packet: Packet) {
  const action = referenceFate(policy, inventory, packet)
  const inspected = (['egress', 'ingress'] as const)
    .map((direction) => referenceVerdict(policy, inventory, packet, direction))
    .find((side) => side?.action === 'inspect')
  const rule = action === 'inspect' ? policy.rules.find(({ ref }) => ref === inspected?.ref) : undefined
  return { action, profile: rule?.profile ?? null }
}

/** The rules of the sides whose action is the fate; null where nothing is enforced. */
function refsOf({ policy, inventory }: World, packet: Packet): readonly (string | null)[] {
  const fate = referenceFate(policy, inventory, packet)
  if (fate === 'not-enforced') return [null]
  return (['egress', 'ingress'] as const).flatMap((direction) => {
    const side = referenceVerdict(policy, inventory, packet, direction)
    return side?.action === fate ? [side.ref] : []
  })
}

function serves(
  { services: { ranges, others } }: DiffEntry,
  { protocol, port = 0 }: Packet,
  protocols: ReadonlySet<number>,
): boolean {
  const served = ranges.some((range) => range.protocol === protocol && range.from <= port && port <= range.to)
  return served || (others && !protocols.has(protocol))
}

function keyOf({ addresses, networks, world }: Pick<AddressAtom, 'addresses' | 'networks' | 'world'>): string {
  return JSON.stringify([addresses, networks, world])
}

/** An endpoint's address by name, else by the longest network, else the world. */
function atomOf(atoms: readonly AddressAtom[], address: Address): AddressAtom {
  const exact = atoms.find((atom) => atom.addresses.includes(address))
  if (exact !== undefined) return exact
  const around = atoms
    .flatMap((atom) => atom.networks.map((prefix) => ({ atom, value: toPrefixValue(prefix) })))
    .filter(({ value }) => prefixContains(value, toAddressValue(address)))
    .sort((a, b) => b.value.length - a.value.length)
  return around[0]?.atom ?? atoms.find((atom) => atom.world) ?? expect.fail('no world')
}
