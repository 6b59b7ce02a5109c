import { expect, test } from 'vitest'

import { type SeenFlow, toFlowRecords } from './to-flow-records.ts'

const tuple = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, destinationPort: 443 }
const at = (second: number): string => `2026-11-01T00:00:0${second}.000Z`

function seen(parts: Partial<SeenFlow>): SeenFlow {
  return {
    kind: 'flow-start',
    at: at(1),
    endpoint: 'a',
    direction: 'egress',
    reason: null,
    tuple,
    suppressed: 0,
    ...parts,
  }
}

test('a connection told at both ends, at its start and at its end, is one', () => {
  const told = [
    seen({}),
    seen({ kind: 'flow-end', at: at(3), reason: 'closed' }),
    seen({ endpoint: 'b', direction: 'ingress' }),
    seen({ endpoint: 'b', direction: 'ingress', kind: 'flow-end', at: at(4), reason: 'closed' }),
  ]
  expect(toFlowRecords(told)).toEqual([
    {
      packet: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, port: 443 },
      count: 1,
      refused: 0,
      first: at(1),
      last: at(4),
    },
  ])
})

test('what was counted and not told counts', () => {
  expect(toFlowRecords([seen({ suppressed: 9 }), seen({ at: at(2) })])).toMatchObject([{ count: 11, refused: 0 }])
})

test('what one end lets through and the other refuses is one refused connection', () => {
  const told = [seen({}), seen({ kind: 'drop', reason: 'policy', endpoint: 'b', direction: 'ingress' })]
  expect(toFlowRecords(told)).toMatchObject([{ count: 1, refused: 1 }])
})

test('what one end let through once and refused once is two connections', () => {
  const told = [seen({}), seen({ kind: 'drop', reason: 'policy' })]
  expect(toFlowRecords(told)).toMatchObject([{ count: 2, refused: 1 }])
})

test('a forged source, a monitor and a broken address are no connections', () => {
  const told = [
    seen({ kind: 'drop', reason: 'source-address' }),
    seen({ kind: 'drop', reason: 'policy', tuple: null }),
    seen({ kind: 'monitor' }),
    seen({ tuple: { ...tuple, source: '10.0.0.256' } }),
  ]
  expect(toFlowRecords(told)).toEqual([])
})

test('a protocol without ports has none', () => {
  const told = [seen({ tuple: { ...tuple, protocol: 47, destinationPort: 0 } })]
  expect(toFlowRecords(told)).toMatchObject([{ packet: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 47 } }])
})
