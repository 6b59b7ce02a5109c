import { known, unknown, type Observed } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { HeldPlan } from '../plan/plan-store.ts'
import type { Tap } from '../taps/tap.ts'
import { createKernelModel, type KernelModel } from '../testing/kernel-model.ts'
import { samplePlan, sampleVm, toRevision } from '../testing/sample-plan.ts'
import { createEnforcer, type Enforcer } from './enforcer.ts'

interface Bench {
  readonly kernel: KernelModel
  readonly enforcer: Enforcer
  held: HeldPlan
  taps: Observed<readonly Tap[]>
}

function makeBench(kernel = createKernelModel()): Bench {
  const bench: Bench = {
    kernel,
    held: { kind: 'none' },
    taps: known([]),
    enforcer: createEnforcer({
      datapath: kernel.datapath,
      door: kernel.door,
      held: () => bench.held,
      observeTaps: async () => bench.taps,
      observeInspection: async () => ({ gateways: [], failOpen: [] }),
      isSameLink: (link) => kernel.isSameLink(link),
    }),
  }
  return bench
}

function hold(revision: number, vms: readonly number[]): HeldPlan {
  return { kind: 'held', plan: samplePlan(revision, vms).plan, revision: toRevision(revision) }
}

/** A tap of the nth VM, and its device. */
function plug(kernel: KernelModel, n: number, ifindex = 100 + n): Tap {
  const device = `vnet${n}`
  kernel.devices.set(device, ifindex)
  const { endpoint, uuid, name } = sampleVm(n)
  return { endpoint, vm: uuid, vmName: name, claimed: true, unguardable: null, link: { device, ifindex, segment: 0 } }
}

const states = (round: { endpoints: readonly { vmName: string; state: string; reason: string | null }[] }): string[] =>
  round.endpoints.map(({ vmName, state, reason }) => `${vmName} ${state}${reason === null ? '' : `: ${reason}`}`)

test('a planned tap is attached first and opened after', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  bench.taps = known([plug(bench.kernel, 1)])
  expect(states(await bench.enforcer.round())).toEqual(['vm1 enforced'])
  expect(bench.kernel.changes).toEqual(['attach 101', 'open 101'])
})

test('a tap that leaves the plan is closed first and detached after', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1, 2])
  bench.taps = known([plug(bench.kernel, 1), plug(bench.kernel, 2)])
  await bench.enforcer.round()
  bench.kernel.changes.length = 0
  bench.held = hold(2, [2])
  expect(states(await bench.enforcer.round())).toEqual(['vm1 closed: no-plan', 'vm2 enforced'])
  expect(bench.kernel.changes).toEqual(['close 101', 'detach 101'])
})

test('a VM without tenant stays closed and its reason says so', async () => {
  const bench = makeBench()
  bench.held = hold(1, [2])
  bench.taps = known([{ ...plug(bench.kernel, 1), claimed: false }])
  expect(states(await bench.enforcer.round())).toEqual(['vm1 closed: no-tenant'])
  expect(bench.kernel.open.size).toBe(0)
})

test('without any plan every tap stays closed', async () => {
  const bench = makeBench()
  bench.taps = known([plug(bench.kernel, 1)])
  expect(states(await bench.enforcer.round())).toEqual(['vm1 closed: no-plan'])
  expect(bench.kernel.open.size).toBe(0)
})

test('an interface that has no tap is told as unguardable', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  const { endpoint, uuid, name } = sampleVm(1)
  bench.taps = known([
    { endpoint, vm: uuid, vmName: name, claimed: true, unguardable: 'an interface of type "direct"', link: null },
  ])
  expect(states(await bench.enforcer.round())).toEqual(['vm1 closed: unguardable: an interface of type "direct"'])
})

test('an unreadable list of VMs detaches nothing and opens nothing new, and a plan still changes what is known', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1, 2])
  bench.taps = known([plug(bench.kernel, 1), plug(bench.kernel, 2)])
  await bench.enforcer.round()
  bench.taps = unknown('libvirt.unresponsive')
  plug(bench.kernel, 3)
  bench.held = hold(2, [1, 3])
  const round = await bench.enforcer.round()
  expect(round.outcome).toBe('kept')
  expect(round.reason).toContain('libvirt.unresponsive')
  expect([...bench.kernel.open]).toEqual([101])
  expect([...bench.kernel.enforced.keys()]).toEqual([101])
})

test('a fresh engine that cannot read libvirt leaves what an earlier one opened', async () => {
  const first = makeBench()
  first.held = hold(1, [1])
  first.taps = known([plug(first.kernel, 1)])
  await first.enforcer.round()
  first.kernel.changes.length = 0
  const second = makeBench(first.kernel)
  second.held = hold(1, [1])
  second.taps = unknown('libvirt.unreachable')
  expect((await second.enforcer.round()).outcome).toBe('kept')
  expect(first.kernel.changes).toEqual([])
})

test('a damaged saved plan keeps what is loaded and opens nothing', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  bench.taps = known([plug(bench.kernel, 1)])
  await bench.enforcer.round()
  bench.kernel.changes.length = 0
  bench.held = { kind: 'unreadable', reason: 'plan.json is cut off', revision: toRevision(1) }
  bench.taps = known([plug(bench.kernel, 1), plug(bench.kernel, 2)])
  const round = await bench.enforcer.round()
  expect(round.outcome).toBe('kept')
  expect(states(round)).toEqual([
    'vm1 enforced: plan-unreadable: what was loaded before stays',
    'vm2 closed: plan-unreadable',
  ])
  expect(bench.kernel.changes).toEqual([])
})

test('an endpoint the driver could not attach stays closed while the others open', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1, 2])
  bench.taps = known([plug(bench.kernel, 1), plug(bench.kernel, 2)])
  bench.kernel.refuseEndpoint = sampleVm(1).endpoint
  expect(states(await bench.enforcer.round())).toEqual(['vm1 closed: attach-failed', 'vm2 enforced'])
  expect([...bench.kernel.open]).toEqual([102])
})

test('a failing driver opens nothing', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  bench.taps = known([plug(bench.kernel, 1)])
  bench.kernel.failReconcile = 'no memory'
  const round = await bench.enforcer.round()
  expect(round.outcome).toBe('failed')
  expect(states(round)).toEqual(['vm1 closed: no memory'])
  expect(bench.kernel.open.size).toBe(0)
})

test('a door that does not open is told, and the endpoint counts as closed', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  bench.taps = known([plug(bench.kernel, 1)])
  bench.kernel.failOpen = true
  const round = await bench.enforcer.round()
  expect(round.outcome).toBe('failed')
  expect(states(round)).toEqual(['vm1 closed: door of ifindex 101 did not open: nft said no'])
})

test('doors that cannot be read are not opened', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  bench.taps = known([plug(bench.kernel, 1)])
  bench.kernel.doorsUnreadable = true
  expect((await bench.enforcer.round()).outcome).toBe('failed')
  expect(bench.kernel.open.size).toBe(0)
})

test('a device name that went to another VM meanwhile is not touched', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1])
  bench.taps = known([plug(bench.kernel, 1)])
  bench.kernel.devices.set('vnet1', 999)
  expect(states(await bench.enforcer.round())).toEqual(['vm1 closed: no-device'])
  expect(bench.kernel.changes).toEqual([])
})

test('a second round with the same inputs changes nothing', async () => {
  const bench = makeBench()
  bench.held = hold(1, [1, 2])
  bench.taps = known([plug(bench.kernel, 1), plug(bench.kernel, 3)])
  await bench.enforcer.round()
  bench.kernel.changes.length = 0
  expect((await bench.enforcer.round()).outcome).toBe('unchanged')
  expect(bench.kernel.changes).toEqual([])
})

test('whatever happens in whatever order, no door is ever open on a tap whose program does not enforce', async () => {
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 5 }))
  const happening = fc.record({
    plan: fc.option(numbers),
    taps: fc.option(numbers),
    readable: fc.boolean(),
    damaged: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    refused: fc.option(fc.integer({ min: 1, max: 5 })),
    fails: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    replaced: fc.option(fc.integer({ min: 1, max: 5 })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 12 }), async (happenings) => {
      const bench = makeBench()
      const { kernel } = bench
      let nextIfindex = 100
      let plan: HeldPlan = { kind: 'none' }
      for (const [index, one] of happenings.entries()) {
        if (one.plan !== null) plan = hold(index + 1, one.plan)
        bench.held = one.damaged ? { kind: 'unreadable', reason: 'damaged', revision: null } : plan
        if (one.taps !== null) {
          const taps = one.taps.map((n) => plug(kernel, n, kernel.devices.get(`vnet${n}`) ?? (nextIfindex += 1)))
          bench.taps = known(taps)
        }
        if (one.replaced !== null && kernel.devices.has(`vnet${one.replaced}`)) {
          const gone = kernel.devices.get(`vnet${one.replaced}`) ?? 0
          // with a device its program and its traffic are gone; its number in the door's set is not
          kernel.devices.set(`vnet${one.replaced}`, (nextIfindex += 1))
          kernel.enforced.delete(gone)
          kernel.open.delete(gone)
        }
        const readable = bench.taps
        if (!one.readable) bench.taps = unknown('silent')
        kernel.refuseEndpoint = one.refused === null ? null : sampleVm(one.refused).endpoint
        kernel.failReconcile = one.fails ? 'no memory' : null
        await bench.enforcer.round()
        bench.taps = readable
        expect(kernel.leaks).toEqual([])
      }
    }),
    { numRuns: 200 },
  )
})
