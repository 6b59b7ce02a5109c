import { expect, test } from 'vitest'

import { toFigures, type Outcome } from './figures.ts'

const floor = { toFirstHookNs: 1200, userNs: 0.3 }
const measured: Outcome = {
  ok: true,
  subject: 'ours',
  size: 10,
  established: { baseNs: 2000, subjectNs: 2100, ratio: 1.05 },
  first: { baseNs: 2100, subjectNs: 2940, ratio: 1.4 },
}

test('every subject has a value for every size, and what was not measured is null with its reason', () => {
  const refused: Outcome = { ok: false, subject: 'nft', size: 10, reason: 'no such table' }
  const figures = toFigures(['ours', 'nft'], [10, 1000], [measured, refused], floor)
  expect(figures['established_ratio']).toEqual({ ours: { 10: 1.05, 1000: null }, nft: { 10: null, 1000: null } })
  expect(figures['first_packet_ratio']).toEqual({ ours: { 10: 1.4, 1000: null }, nft: { 10: null, 1000: null } })
  expect(figures['reasons']).toEqual({
    ours: { 1000: 'left out by --quick' },
    nft: { 10: 'no such table', 1000: 'left out by --quick' },
  })
  expect(figures['established_ns']).toEqual({ ours: { 10: 2100, 1000: null }, nft: { 10: null, 1000: null } })
})

test('a run in which nothing could be measured still has its figures', () => {
  const figures = toFigures(['ours'], [10], [], floor)
  expect(figures['base_ns']).toEqual({
    established: { least: null, most: null },
    first_packet: { least: null, most: null },
  })
})
