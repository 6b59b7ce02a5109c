import { known, unknown } from '@hyperward/model'
import { expect, test } from 'vitest'

import { createStandingDoor, type BareDoor } from './standing-door.ts'

interface NftModel extends BareDoor {
  standing: boolean
  rules: number
  refuses: boolean
  readonly guarded: Set<number>
}

function makeNft(): NftModel {
  const guarded = new Set<number>()
  const nft: NftModel = {
    standing: true,
    rules: 4,
    refuses: false,
    guarded,
    install: async () => {
      if (nft.refuses) throw new Error('Operation not permitted')
      nft.standing = true
      nft.rules = 4
    },
    observe: async () =>
      nft.standing ? known({ guarded: new Set(guarded), rules: nft.rules }) : unknown('No such file or directory'),
    open: async (ifindex) => void guarded.add(ifindex),
    close: async (ifindex) => void guarded.delete(ifindex),
  }
  return nft
}

function makeDoor(nft: NftModel): { door: ReturnType<typeof createStandingDoor>; repaired: string[] } {
  const repaired: string[] = []
  return {
    door: createStandingDoor({ door: nft, wholeRules: 4, onRepaired: (what) => void repaired.push(what) }),
    repaired,
  }
}

test('a whole door is only read', async () => {
  const nft = makeNft()
  nft.guarded.add(7)
  const { door, repaired } = makeDoor(nft)
  expect(await door.openIndexes()).toEqual({ known: true, value: new Set([7]) })
  expect(repaired).toEqual([])
})

test('a door that is gone is put up again, with nobody guarded, and that is told', async () => {
  const nft = makeNft()
  nft.standing = false
  const { door, repaired } = makeDoor(nft)
  expect(await door.openIndexes()).toEqual({ known: true, value: new Set() })
  expect(nft.standing).toBe(true)
  expect(repaired).toHaveLength(1)
})

test('a door that lacks a rule is made whole', async () => {
  const nft = makeNft()
  nft.rules = 3
  const { door, repaired } = makeDoor(nft)
  await door.openIndexes()
  expect(nft.rules).toBe(4)
  expect(repaired).toHaveLength(1)
})

test('a door that cannot be put up is unknown, so that nothing is opened', async () => {
  const nft = makeNft()
  nft.standing = false
  nft.refuses = true
  expect(await makeDoor(nft).door.openIndexes()).toMatchObject({ known: false })
})
