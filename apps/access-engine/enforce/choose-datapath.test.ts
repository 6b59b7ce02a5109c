import { known, unknown, type Observed } from '@hyperward/model'
import { expect, test } from 'vitest'

import { createKernelModel } from '../testing/kernel-model.ts'
import { chooseDatapath, type Driver } from './choose-datapath.ts'
import type { EngineDatapath } from './engine-datapath.ts'

function makeDriver(
  name: string,
  log: string[],
  lacks: string | null = null,
  stays: { fails: boolean } = { fails: false },
): Driver {
  const { datapath } = createKernelModel()
  return {
    open: async (): Promise<Observed<EngineDatapath>> => (lacks === null ? known(datapath) : unknown(lacks)),
    removeLeft: async () => {
      if (stays.fails) throw new Error(`${name} stays`)
      log.push(`${name} removed`)
    },
  }
}

test('eBPF is taken where the kernel can, and what nftables left goes after the first round, once', async () => {
  const log: string[] = []
  const drivers = { ebpf: makeDriver('ebpf', log), nftables: makeDriver('nftables', log) }
  const chosen = await chooseDatapath('auto', drivers, (problem) => void log.push(problem))
  expect(chosen).toMatchObject({ driver: 'ebpf', lacks: null })
  expect(log).toEqual([])
  await chosen.datapath.reconcile(null, [])
  await chosen.datapath.reconcile(null, [])
  expect(log).toEqual(['nftables removed'])
})

test('without what eBPF needs nftables is taken, and the reason is told', async () => {
  const log: string[] = []
  const drivers = {
    ebpf: makeDriver('ebpf', log, 'the kernel lacks ring buffers'),
    nftables: makeDriver('nftables', log),
  }
  expect(await chooseDatapath('auto', drivers, () => undefined)).toMatchObject({
    driver: 'nftables',
    reason: 'the ebpf driver cannot run: the kernel lacks ring buffers',
    lacks: 'the ebpf driver cannot run: the kernel lacks ring buffers; nftables enforces',
  })
})

test('a named driver is the only one tried: what it lacks keeps every endpoint closed', async () => {
  const log: string[] = []
  const drivers = { ebpf: makeDriver('ebpf', log, 'no'), nftables: makeDriver('nftables', log) }
  expect(await chooseDatapath('nftables', drivers, () => undefined)).toMatchObject({ driver: 'nftables', lacks: null })
  const closed = await chooseDatapath('ebpf', drivers, () => undefined)
  expect(closed).toMatchObject({ driver: 'none' })
  expect(await closed.datapath.reconcile(null, [])).toMatchObject({ outcome: 'failed' })
})

test('with neither every endpoint stays closed, with both reasons', async () => {
  const drivers = { ebpf: makeDriver('ebpf', [], 'old'), nftables: makeDriver('nftables', [], 'no nft') }
  const chosen = await chooseDatapath('auto', drivers, () => undefined)
  expect(chosen.lacks).toBe(
    'the ebpf driver cannot run: old; the nftables driver cannot run: no nft; every endpoint stays closed',
  )
})

test('what the other driver left is tried again until it is gone, and stays while the chosen one fails', async () => {
  const log: string[] = []
  const stays = { fails: true }
  const kernel = createKernelModel()
  const drivers = {
    ebpf: { ...makeDriver('ebpf', log), open: async () => known(kernel.datapath) },
    nftables: makeDriver('nftables', log, null, stays),
  }
  const { datapath } = await chooseDatapath('auto', drivers, (problem) => void log.push(problem))
  kernel.failReconcile = 'no memory'
  await datapath.reconcile(null, [])
  expect(log).toEqual([])
  kernel.failReconcile = null
  await datapath.reconcile(null, [])
  stays.fails = false
  await datapath.reconcile(null, [])
  expect(log).toEqual(['nftables stays', 'nftables removed'])
})

test('what inspects on this host reaches the driver that was chosen', async () => {
  const { datapath } = createKernelModel()
  const seen: unknown[] = []
  const recording: EngineDatapath = {
    ...datapath,
    reconcile(plan, attachments, inspection) {
      seen.push(inspection)
      return datapath.reconcile(plan, attachments)
    },
  }
  const ebpf = { ...makeDriver('ebpf', []), open: async () => known(recording) }
  const chosen = await chooseDatapath('auto', { ebpf, nftables: makeDriver('nftables', []) }, () => undefined)
  const inspection = { gateways: [], failOpen: ['acme/web'] }
  await chosen.datapath.reconcile(null, [], inspection)
  expect(seen).toEqual([inspection])
})
