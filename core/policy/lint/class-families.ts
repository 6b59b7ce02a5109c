/**
 * Which identity classes hold an address at all, and of which families. A network whose every address is an endpoint's or of a smaller network holds none; a
 * pair of classes without a common family has no packet. Both would otherwise make a rule look alive that can never decide.
 */
import { type Identity, toAddressValue, toPrefixValue, worldIdentity } from '@hyperward/model'

import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'

export interface PeopledClass {
  readonly class: IdentityClass
  /** Bits: 1 = IPv4, 2 = IPv6. Never 0. */
  readonly families: number
}

export const v4Bit = 1
export const v6Bit = 2

export function listPeopledClasses({ classes, addresses, networks }: ResolvedPolicy): readonly PeopledClass[] {
  const families = new Map<Identity, number>()
  const add = (identity: Identity, family: 4 | 6): void =>
    void families.set(identity, (families.get(identity) ?? 0) | (family === 4 ? v4Bit : v6Bit))
  for (const { address, identity } of addresses) add(identity, address.includes(':') ? 6 : 4)

  const rooms = networks.map(({ prefix, identity }): Room => ({ ...toRoom(toPrefixValue(prefix)), identity }))
  for (const family of [4, 6] as const) {
    // the world is around every network, also around one of length 0
    rooms.push({ ...toRoom({ family, number: 0n, length: 0 }), length: world, identity: worldIdentity })
  }
  const find = createRoomFinder(rooms)
  for (const { family, number, length } of rooms) {
    const around = find(family, number, length)
    if (around !== null) around.left -= sizeOf(family, length)
  }
  // where more is left than there are endpoints' addresses, some is left whatever those are
  const crowded = rooms.some((room) => room.left <= BigInt(addresses.length))
  for (const { address } of crowded ? addresses : []) {
    const { family, number } = toAddressValue(address)
    const room = find(family, number, Number.POSITIVE_INFINITY)
    if (room !== null) room.left -= 1n
  }
  for (const room of rooms) if (room.left > 0n) add(room.identity, room.family)
  return classes.flatMap((one) => {
    const found = families.get(one.identity) ?? 0
    return found === 0 ? [] : [{ class: one, families: found }]
  })
}

interface Room {
  readonly family: 4 | 6
  readonly number: bigint
  readonly length: number
  readonly identity: Identity
  /** Addresses in it that are in nothing smaller. */
  left: bigint
}

/** Length of the world. */
const world = -1

function toRoom({ family, number, length }: Pick<Room, 'family' | 'number' | 'length'>): Omit<Room, 'identity'> {
  return { family, number, length, left: sizeOf(family, length) }
}

function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128
}

function sizeOf(family: 4 | 6, length: number): bigint {
  return 1n << BigInt(bitsOf(family) - Math.max(length, 0))
}

/** The smallest room around a number that is longer than no other and shorter than `below`. */
function createRoomFinder(rooms: readonly Room[]) {
  const keyOf = (family: 4 | 6, number: bigint, length: number): string =>
    `${family}/${length}/${number >> BigInt(bitsOf(family) - Math.max(length, 0))}`
  const byKey = new Map(rooms.map((room) => [keyOf(room.family, room.number, room.length), room]))
  const lengths = { 4: new Set<number>(), 6: new Set<number>() }
  for (const { family, length } of rooms) lengths[family].add(length)
  const descending = { 4: [...lengths[4]].sort((a, b) => b - a), 6: [...lengths[6]].sort((a, b) => b - a) }
  return (family: 4 | 6, number: bigint, below: number): Room | null => {
    for (const length of descending[family]) {
      const found = length < below ? byKey.get(keyOf(family, number, length)) : undefined
      if (found !== undefined) return found
    }
    return null
  }
}
