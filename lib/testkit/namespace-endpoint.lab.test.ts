import { readdirSync } from 'node:fs'

import { exec } from '@hyperward/os'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { createLab, type Lab } from './lab.ts'
import { addHostNetns, addNamespaceEndpoint } from './namespace-endpoint.ts'
import { waitFor } from './wait-for.ts'

let lab: Lab
beforeEach(async () => {
  lab = await createLab({ prefix: 'hwtns' })
})
afterEach(() => lab.close())

test('two endpoints on one bridge reach each other, v4 and v6, and not when the tap is down', async () => {
  const host = await addHostNetns(lab)
  const make = (n: number, tap: string) =>
    addNamespaceEndpoint(lab, {
      name: `e${n}`,
      mac: `52:54:00:00:00:0${n}`,
      addresses: [`10.20.0.1${n}/16`, `fd00:20::1${n}/64`],
      host,
      tap,
    })
  const one = await make(1, 'vnet7')
  await make(2, 'vnet8')
  expect(await one.ping('10.20.0.12')).toBe(true)
  expect(await one.ping('fd00:20::12')).toBe(true)
  const taps = await exec('ip', ['-n', host, '-br', 'link', 'show', 'master', 'br0'])
  expect(taps.stdout).toMatch(/^vnet7@.*\nvnet8@/)
  await exec('ip', ['-n', host, 'link', 'set', 'vnet8', 'down'])
  expect(await one.ping('10.20.0.12', 300)).toBe(false)
  expect(await one.ping('fd00:20::12', 300)).toBe(false)
})

test('close ends what was started, also what it left behind, and removes all names', async () => {
  const host = await addHostNetns(lab)
  await lab.start(host, 'sh', ['-c', 'setsid sleep 300.0417 & exec sleep 301.0417'])
  const sleepers = async () => (await exec('pgrep', ['-f', '^sleep 30[01].0417$'])).stdout.split('\n').filter(Boolean)
  await waitFor(async () => (await sleepers()).length === 2)
  await lab.close()
  expect(await sleepers()).toEqual([])
  expect(readdirSync('/run/netns').filter((name) => name.startsWith('hwtns-'))).toEqual([])
  expect(readdirSync('/sys/fs/cgroup/pids')).not.toContain('hwtns-lab')
})
