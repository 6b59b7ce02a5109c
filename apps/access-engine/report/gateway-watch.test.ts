import { known, unknown, type Observed } from '@hyperward/model'
import { expect, test } from 'vitest'

import type { GatewayReport } from '../enforce/engine-datapath.ts'
import { createGatewayWatch } from './gateway-watch.ts'

function watchOf(graceMs = 1000) {
  const told: string[] = []
  const world = { at: 0, probed: known([]) as Observed<readonly GatewayReport[]> }
  const watch = createGatewayWatch({
    probe: () => world.probed,
    tell: (kind, message) => told.push(`${kind}: ${message}`),
    onUnknown: (reason) => told.push(`unknown: ${reason}`),
    now: () => world.at,
    graceMs,
  })
  const look = (state: GatewayReport['state'], at: number): string[] => {
    const reason = state === 'up' ? null : 'no probe comes through'
    const counts = { packets: 0, bytes: 0, returned: 0, refused: 0 }
    Object.assign(world, { at, probed: known([{ name: 'g1', state, draining: false, reason, ...counts }]) })
    watch.look()
    return told.splice(0)
  }
  return { watch, world, told, look }
}

const up = 'gateway-up: gateway g1 inspects: a probe comes through it, both ways'
const down = 'gateway-down: gateway g1 does not inspect: no probe comes through'

test('a gateway is told when it comes and when it goes, each once', () => {
  const { look } = watchOf()
  expect(look('down', 0)).toEqual([])
  expect(look('up', 500)).toEqual([up])
  expect(look('up', 600)).toEqual([])
  expect(look('down', 700)).toEqual([down])
  expect(look('down', 800)).toEqual([])
  expect(look('up', 900)).toEqual([up])
})

test('one that never comes is told after its grace', () => {
  const { look } = watchOf(1000)
  expect(look('down', 0)).toEqual([])
  expect(look('down', 999)).toEqual([])
  expect(look('down', 1000)).toEqual([down])
})

test('a kernel that cannot be asked is told once, and what was known stays', () => {
  const { watch, world, told, look } = watchOf()
  look('up', 0)
  world.probed = unknown('errno 1')
  watch.look()
  watch.look()
  expect(told).toEqual(['unknown: errno 1'])
  expect(watch.last()).toMatchObject([{ name: 'g1', state: 'up' }])
})
