import { parseAddress, parseHostName, parseMac, parseTenantName, parseVmUuid, toEndpointId } from '@hyperward/model'
import type { Inventory, Vm } from '@hyperward/model'
import { afterEach, expect, test } from 'vitest'

import { samplePolicy } from '../testing/sample.ts'
import { createPolicyWorker, type PolicyWorker } from './policy-worker.ts'

let worker: PolicyWorker
afterEach(() => worker.close())

/** VMs with labels of their own each, so that every one is a class of its own. */
function makeInventory(vms: number): Inventory {
  const [host, tenant] = [parseHostName('host-1'), parseTenantName('acme')]
  if (host === null || tenant === null) throw new Error('names')
  const list = Array.from({ length: vms }, (_, at): Vm => {
    const hex = at.toString(16).padStart(4, '0')
    const uuid = parseVmUuid(`00000000-0000-4000-8000-00000000${hex}`)
    const mac = parseMac(`52:54:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`)
    const address = parseAddress(`10.0.${at >> 8}.${at & 255}`)
    if (uuid === null || mac === null || address === null) throw new Error('identifiers')
    const endpoints = [{ id: toEndpointId(uuid, mac), mac, addresses: [address] }]
    return { uuid, name: `vm-${at}`, host, tenant, labels: { role: 'db', nr: String(at) }, endpoints }
  })
  return { hosts: [{ name: host }], vms: list }
}

/** Each guarantee cuts the endpoints otherwise: seconds of work. */
function hardPolicy(guarantees: number): string {
  const groups = Array.from({ length: 200 }, (_, at) => `      g${at}: { names: ["*${at}"] }\n`).join('')
  const rules = Array.from(
    { length: 200 },
    (_, at) =>
      `          - { name: r${at}, from: g${at}, to: g${(at * 7) % 200}, service: { tcp: ${at + 1} }, action: allow }\n`,
  ).join('')
  const list = Array.from(
    { length: guarantees },
    (_, at) =>
      `      - { name: q${at}, never: { from: { not: g${at % 200} }, to: any, service: { tcp: "1-${1000 + at}" } } }\n`,
  ).join('')
  return `apiVersion: hyperward/v1\nkind: Policy\ntenants:\n  acme:\n    groups:\n${groups}    policies:\n      - policy: app\n        rules:\n${rules}    guarantees:\n${list}`
}

const text = (policy: string) => ({ kind: 'text', text: policy, file: 'policy.yaml', nowMs: 0 }) as const
const easy = { policy: text(samplePolicy()), inventory: makeInventory(2), nowMs: 0 }

test('a question that takes seconds keeps nobody else waiting', async () => {
  worker = createPolicyWorker()
  let longest = 0
  let last = performance.now()
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 10)
  const begun = performance.now()
  const { guarantees } = await worker.ask('prove', {
    policy: text(hardPolicy(150)),
    inventory: makeInventory(1500),
    nowMs: 0,
  })
  clearInterval(beat)
  expect(guarantees).toHaveLength(150)
  const took = performance.now() - begun
  expect(took).toBeGreaterThan(1000)
  expect(longest).toBeLessThan(took / 2)
})

test('a question that takes too long is given up, and the next one is answered', async () => {
  worker = createPolicyWorker({ limitMs: 1500 })
  const hard = { policy: text(hardPolicy(5000)), inventory: makeInventory(3000), nowMs: 0 }
  await expect(worker.ask('prove', hard)).rejects.toMatchObject({ code: 'policy.question-too-long' })
  expect(await worker.ask('prove', easy)).toMatchObject({ guarantees: [] })
})

test('a document with errors fails with all of them', async () => {
  worker = createPolicyWorker()
  const wrong = worker.ask('prove', { ...easy, policy: text(samplePolicy().replace('to: db', 'to: nobody')) })
  await expect(wrong).rejects.toMatchObject({
    code: 'policy.invalid',
    diagnostics: [{ severity: 'error', place: { file: 'policy.yaml', line: 11 } }],
  })
})

test('what is asked when the center stops is given up at once', async () => {
  worker = createPolicyWorker()
  const asked = worker.ask('prove', { policy: text(hardPolicy(5000)), inventory: makeInventory(3000), nowMs: 0 })
  const given = expect(asked).rejects.toMatchObject({ code: 'policy.question-too-long' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  await worker.close()
  await given
})

test('the thread ends when nobody asks, and starts anew', async () => {
  worker = createPolicyWorker({ idleMs: 1 })
  for (let times = 0; times < 2; times += 1) {
    expect(await worker.ask('prove', easy)).toMatchObject({ guarantees: [] })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})
