// What the CLI asks a center about policies: lint, prove, reach, simulate, recommend; with files they are in advise.test.ts and answers.test.ts.
import { setTimeout as sleep } from 'node:timers/promises'

import type { ReportedVm } from '@hyperward/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { startOneCenter, type OneCenter } from './testing/one-center.ts'

let one: OneCenter

const vms: readonly ReportedVm[] = [toVm(1, 'web', 'acme'), toVm(2, 'db', 'acme'), toVm(3, 'mail', 'globex')]

function toVm(n: number, name: string, tenant: string): ReportedVm {
  const endpoints = [{ mac: `52:54:00:00:00:0${n}`, addresses: [`10.0.0.${n}`] }]
  return { uuid: `00000000-0000-4000-8000-00000000000${n}`, name, tenant, labels: { role: name }, endpoints }
}

const policy = `apiVersion: hyperward/v1
kind: Policy
provider:
  groups:
    acme-db: { labels: { role: db } }
    others: { tenants: [globex] }
  guarantees:
    - { name: tenants-apart, never: { from: others, to: acme-db } }
tenants:
  acme:
    groups:
      web: { labels: { role: web } }
      db: { labels: { role: db } }
    policies:
      - policy: shop
        rules:
          - { name: web-to-db, from: web, to: db, service: { tcp: 5432 }, action: allow }
          - { name: again, from: web, to: db, service: { tcp: 5432 }, action: allow }
  globex:
    groups:
      all: { labels: { role: mail } }
    policies:
      - policy: out
        rules:
          - { name: anywhere, from: all, to: any, direction: egress, action: allow }
`
const opened = policy.replace(
  '{ name: again, from: web, to: db, service: { tcp: 5432 }, action: allow }',
  '{ name: again, from: any, to: db, service: { tcp: 22 }, action: allow }',
)

beforeAll(async () => {
  one = await startOneCenter(vms)
  expect(await one.cli('apply', await one.write('policy.yaml', policy))).toMatchObject({ code: 0 })
  expect(await one.cli('publish', '--wait', '10s')).toMatchObject({ code: 0 })
  await one.write('opened.yaml', opened)
  const seen = (port: number, at: number) => ({
    kind: 'flow-start' as const,
    endpoint: `${vms[1]?.uuid}/52:54:00:00:00:02`,
    at: new Date(Date.now() - at * 1000).toISOString(),
    direction: 'ingress' as const,
    rule: 'tenant:acme/shop/web-to-db',
    tuple: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, sourcePort: 40_000 + at, destinationPort: port },
    packets: 1,
    bytes: 60,
    end: null,
    suppressed: 0,
  })
  one.agent.send({ kind: 'events', seq: 2, datapath: [seen(5432, 1), seen(5432, 2)], agent: [], lost: 0 })
  // told over another connection than the question comes by
  for (let tries = 0; tries < 100 && !(await one.cli('flows')).stdout.includes('acme/db'); tries += 1) await sleep(50)
}, 120_000)

afterAll(() => one?.close(), 60_000)

test('lint of the draft, and of a file', async () => {
  const { code, stdout } = await one.cli('lint', '--exit-code')
  expect([code, stdout]).toEqual([
    1,
    expect.stringContaining('[lint.shadowed]: The rule acme/shop/again never decides'),
  ])
  const file = await one.cli('lint', `${one.directory}/opened.yaml`)
  expect([file.code, file.stdout]).toEqual([0, expect.not.stringContaining('lint.shadowed')])
})

test('prove: what is in force holds, a file that breaks it is told with the connection, and publish refuses it', async () => {
  const held = await one.cli('prove')
  expect([held.code, held.stdout]).toEqual([0, expect.stringContaining('provider / tenants-apart')])
  const broken = await one.cli('prove', `${one.directory}/opened.yaml`)
  expect(broken.code).toBe(1)
  expect(broken.stdout).toMatch(/^broken +provider \/ tenants-apart \(never\)/m)
  expect(broken.stdout).toMatch(/globex\/mail.*acme\/db.*tcp\/22/)
  expect(await one.cli('apply', `${one.directory}/opened.yaml`)).toMatchObject({ code: 0 })
  const refused = await one.cli('publish')
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('policy.guarantee-broken')])
  expect(await one.cli('apply', `${one.directory}/policy.yaml`)).toMatchObject({ code: 0 })
})

test('a guarantee that a VM breaks later is told by status, until it holds again', async () => {
  const later = opened
    .replace(
      'db: { labels: { role: db } }\n    policies',
      'db: { labels: { role: db } }\n      open: { labels: { app: open } }\n    policies',
    )
    .replace('from: any, to: db', 'from: any, to: open')
  expect(await one.cli('apply', await one.write('later.yaml', later))).toMatchObject({ code: 0 })
  expect(await one.cli('publish', '--wait', '10s')).toMatchObject({ code: 0 })
  const told = async (): Promise<boolean> => (await one.cli('status')).stdout.includes('provider / tenants-apart')
  expect(await told()).toBe(false)
  expect(await one.cli('vms', 'set', 'db', '--label', 'app=open')).toMatchObject({ code: 0 })
  await expect.poll(told, { timeout: 10_000 }).toBe(true)
  expect(await one.cli('vms', 'set', 'db', '--reset', 'label:app')).toMatchObject({ code: 0 })
  await expect.poll(told, { timeout: 10_000 }).toBe(false)
  expect(await one.cli('apply', `${one.directory}/policy.yaml`)).toMatchObject({ code: 0 })
  expect(await one.cli('publish', '--wait', '10s')).toMatchObject({ code: 0 })
})

test('reach of what is published, of a draft, and of nobody', async () => {
  const { code, stdout } = await one.cli('reach', 'db')
  expect(code).toBe(0)
  expect(stdout).toMatch(/acme\/web +tcp 5432 +allow +acme \/ shop \/ web-to-db/)
  expect((await one.cli('reach', 'db', `${one.directory}/opened.yaml`)).stdout).toContain('tcp 22')
  expect(await one.cli('reach', 'bd')).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean "db"?') })
})

test('simulate tells which recorded connections a file would refuse', async () => {
  const closing = await one.write('closing.yaml', policy.replaceAll('5432', '5433'))
  const { code, stdout } = await one.cli('simulate', closing, '--exit-code')
  expect([code, stdout]).toEqual([1, expect.stringContaining('tcp/5432')])
  expect(await one.cli('simulate', '--exit-code')).toMatchObject({ code: 0 })
})

test('recommend writes a policy for what was seen, which reads back and allows it', async () => {
  const { code, stdout, stderr } = await one.cli('recommend')
  expect([code, stderr]).toEqual([0, expect.stringContaining('1 ')])
  expect(stdout).toContain('tcp: [5432]')
  const path = await one.write('recommended.yaml', stdout)
  expect(await one.cli('apply', '--check', path)).toMatchObject({ code: 0 })
})
