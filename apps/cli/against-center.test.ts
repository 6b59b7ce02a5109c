// The commands against the center as production makes it, with a small agent over the real channel.
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Center } from '@hyperward/center'
import type { ReportedVm } from '@hyperward/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { SmallAgent } from './testing/connect-agent.ts'
import { startOneCenter, type OneCenter } from './testing/one-center.ts'
import { runCli, type Ran } from './testing/run-cli.ts'

let one: OneCenter
let directory: string
let center: Center
let agent: SmallAgent
let policyPath: string

const vms: readonly ReportedVm[] = [toVm(1, 'web', 'acme'), toVm(2, 'db', 'acme'), toVm(3, 'mail', 'globex')]

function toVm(n: number, name: string, tenant: string): ReportedVm {
  const endpoints = [{ mac: `52:54:00:00:00:0${n}`, addresses: [`10.0.0.${n}`, `fd00::${n}`] }]
  return { uuid: `00000000-0000-4000-8000-00000000000${n}`, name, tenant, labels: { role: name }, endpoints }
}

const policy = `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      web: { labels: { role: web } }
      db: { labels: { role: db } }
    policies:
      - policy: shop
        rules:
          - { name: web-to-db, from: web, to: db, service: { tcp: 5432 }, action: allow }
          - { name: no-outsiders, from: any, to: db, service: any, action: drop }
  globex: {}
`

const cli = (...argv: readonly string[]): Promise<Ran> => one.cli(...argv)

beforeAll(async () => {
  one = await startOneCenter(vms)
  ;({ directory, center, agent } = one)
  policyPath = await one.write('policy.yaml', policy)
}, 120_000)

afterAll(() => one?.close(), 60_000)

test('login by fingerprint stores names of files only, readable by the user only', async () => {
  const { fingerprint256 } = new X509Certificate(await readFile(center.caPath))
  const argv = ['login', center.url, '--token-file', center.adminTokenPath]
  const home = { homeDirectory: directory }
  const wrong = await runCli([...argv, '--fingerprint', 'a'.repeat(64)], home)
  expect([wrong.code, wrong.stderr]).toEqual([4, expect.stringContaining('cli.fingerprint-mismatch')])
  expect(await runCli([...argv, '--fingerprint', fingerprint256], home)).toMatchObject({ code: 0, stderr: '' })
  const config = join(directory, '.config/hyperward/config.json')
  expect((await stat(config)).mode & 0o777).toBe(0o600)
  expect(await readFile(config, 'utf8')).not.toContain((await readFile(center.adminTokenPath, 'utf8')).trim())
  expect(await runCli(['status'], home)).toMatchObject({ code: 0 })
  await chmod(config, 0o666)
  expect((await runCli(['status'], home)).stderr).toContain('cli.config-exposed')
  await chmod(config, 0o600)
})

test('a document that is wrong ends with 3, each mistake at its place; nothing is stored', async () => {
  const bad = join(directory, 'bad.yaml')
  await writeFile(bad, policy.replace('action: allow', 'action: alow'))
  const { code, stdout, stderr } = await cli('apply', bad)
  expect([code, stdout]).toEqual([3, ''])
  expect(stderr).toContain(`${bad}:11:83: error[rule.action-unknown]`)
  expect((await cli('policy', 'show', '--draft')).stdout).toBe('')
})

test('apply, plan, diff, publish: in force on each host, with its milliseconds', async () => {
  expect(await cli('publish')).toMatchObject({ code: 1 })
  expect(await cli('apply', policyPath)).toMatchObject({ code: 0 })
  expect((await cli('plan')).stdout).toContain('Revision 1 would change 1 of 1 hosts. Nothing was written.')
  const diff = await cli('diff', '--exit-code')
  expect([diff.code, diff.stderr]).toEqual([1, expect.stringContaining('cli.expectation-failed')])
  expect(diff.stdout).toMatch(/added +acme \/ shop \/ web-to-db/)
  const published = await cli('publish', '--wait', '10s')
  expect([published.code, published.stderr]).toEqual([0, ''])
  expect(published.stdout).toMatch(/kvm-1 +in force +\d+ +3 +yes/)
  expect(published.stdout).toMatch(/Revision \d+ is in force on 1 of 1 hosts after \d+ ms\./)
  expect((await cli('policy', 'show')).stdout).toBe(policy)
  expect(await cli('diff', '--exit-code')).toMatchObject({ code: 0 })
  expect(await cli('publish', '--expect-revision', '77')).toMatchObject({ code: 7 })
})

test('explain takes names of VMs, tells each family, and keeps an expectation', async () => {
  const allowed = await cli('explain', 'web', 'db', 'tcp/5432', '--expect', 'allow')
  expect(allowed.code).toBe(0)
  expect(allowed.stdout).toContain('acme/web (10.0.0.1) → acme/db (10.0.0.2) tcp/5432: allow')
  expect(allowed.stdout).toContain('acme/web (fd00::1) → acme/db (fd00::2) tcp/5432: allow')
  const dropped = await cli('explain', 'mail', 'db', 'tcp/5432', '--expect', 'allow')
  expect([dropped.code, dropped.stderr]).toEqual([
    1,
    expect.stringContaining('Expected allow, but the verdict is drop.'),
  ])
  expect((await cli('explain', 'wbe', 'db', 'tcp/22')).stderr).toContain('There is no VM "wbe". Did you mean "web"?')
  expect((await cli('explain', '10.0.0.1', 'fd00::2', 'tcp/22')).stderr).toContain('cli.no-common-family')
})

test('a drop is told in the words of the policy, in both languages, listed and followed', async () => {
  const drop = {
    kind: 'drop',
    endpoint: `${vms[1]?.uuid}/52:54:00:00:00:02`,
    direction: 'ingress',
    reason: 'policy',
    rule: 'tenant:acme/shop/no-outsiders',
    action: 'drop',
    tuple: { source: '10.0.0.3', destination: '10.0.0.2', protocol: 6, sourcePort: 40000, destinationPort: 5432 },
    sourceMac: '52:54:00:00:00:03',
    suppressed: 2,
  } as const
  const following = cli('events', '--follow', '--for', '1500ms', '--json')
  await sleep(700)
  agent.send({ kind: 'events', seq: 2, datapath: [{ ...drop, at: new Date().toISOString() }], agent: [], lost: 0 })
  const followed = await following
  expect(followed.code).toBe(0)
  const lines = followed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown) // as: compared with what is expected below
  expect(lines).toMatchObject([{ type: 'flow', flow: { kind: 'drop', rule: drop.rule, host: 'kvm-1' } }])
  const sentence = 'globex/mail → acme/db tcp/5432 dropped by acme / shop / no-outsiders (+2 like it)'
  expect((await cli('events')).stdout).toContain(sentence)
  expect((await cli('flows', '--vm', 'db', '--rule', 'acme/shop/no-outsiders', '--since', '5m')).stdout).toContain(
    sentence,
  )
  expect((await cli('flows', '--lang', 'zh-CN')).stdout).toContain(
    'globex/mail → acme/db tcp/5432 被 acme / shop / no-outsiders 丢弃',
  )
  expect((await cli('flows', '--vm', 'web')).stdout).not.toContain('dropped')
  // an older match is found behind newer records that do not match
  const newer = { ...drop, endpoint: `${vms[0]?.uuid}/52:54:00:00:00:01`, rule: 'builtin:/default/drop' }
  agent.send({ kind: 'events', seq: 3, datapath: [{ ...newer, at: new Date().toISOString() }], agent: [], lost: 0 })
  await expect.poll(async () => (await cli('flows')).stdout).toContain('no rule')
  for (const filter of [
    ['--vm', 'db'],
    ['--rule', 'acme/shop/no-outsiders'],
    ['--rule', drop.rule],
  ]) {
    expect((await cli('flows', '--limit', '1', '--since', '5m', ...filter)).stdout).toContain(sentence)
  }
  expect((await cli('flows', '--since', '0s')).stdout).not.toContain('dropped')
  expect(JSON.parse((await cli('endpoints', '--tenant', 'globex', '--json')).stdout)).toMatchObject({
    endpoints: [{ tenant: 'globex' }],
  })
})

test('what a rule in monitor mode would have done is told among the drops, listed and followed', async () => {
  const told = {
    kind: 'monitor',
    endpoint: `${vms[1]?.uuid}/52:54:00:00:00:02`,
    direction: 'ingress',
    rule: 'emergency:/stop/no-web',
    action: 'drop',
    tuple: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, sourcePort: 40000, destinationPort: 5432 },
    packets: 1,
    bytes: 60,
    suppressed: 4,
  } as const
  const following = cli('events', '--follow', '--for', '1500ms')
  await sleep(700)
  agent.send({ kind: 'events', seq: 4, datapath: [{ ...told, at: new Date().toISOString() }], agent: [], lost: 0 })
  const sentence = /stop \/ no-web in monitor mode would have dropped acme\/web → acme\/db tcp\/5432 \(\+4 like it\)/
  expect((await following).stdout).toMatch(sentence)
  expect((await cli('events')).stdout).toMatch(sentence)
  expect((await cli('flows', '--kind', 'monitor', '--rule', '/stop/no-web')).stdout).toMatch(sentence)
  expect((await cli('events', '--flows', 'none')).stdout).not.toContain('monitor mode')
})

test('a drop during a break of the connection is told once it is back, and once only', async () => {
  const sockets = new Set<Socket>()
  const proxy = createServer((near) => {
    const far = connect(Number(new URL(center.url).port), '127.0.0.1')
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
    near.pipe(far).pipe(near)
  })
  const listen = (port: number): Promise<void> => new Promise((resolve) => proxy.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = proxy.address() as AddressInfo // as: it listens on TCP
  const drop = (seq: number, address: string): void =>
    agent.send({
      kind: 'events',
      seq,
      datapath: [
        {
          kind: 'drop',
          endpoint: `${vms[2]?.uuid}/52:54:00:00:00:03`,
          at: new Date().toISOString(),
          direction: 'egress',
          reason: 'source-address',
          rule: null,
          action: 'drop',
          tuple: { source: address, destination: '10.0.0.2', protocol: 6, sourcePort: 40000, destinationPort: 5432 },
          sourceMac: '52:54:00:00:00:03',
          suppressed: 0,
        },
      ],
      agent: [],
      lost: 0,
    })
  try {
    const following = cli('events', '--follow', '--for', '4s', '--center', `https://127.0.0.1:${port}`)
    await sleep(1000)
    drop(10, '10.0.0.1')
    await sleep(400)
    proxy.close()
    for (const socket of sockets) socket.destroy()
    drop(11, '10.0.0.77')
    await sleep(400)
    await listen(port)
    const { code, stdout, stderr } = await following
    expect([code, stderr]).toEqual([0, expect.stringContaining('trying again')])
    const said = stdout.split('\n').filter((line) => line.includes('forged source address'))
    expect(said).toEqual([
      expect.stringContaining('globex/mail sent as acme/web (10.0.0.1) → acme/db tcp/5432'),
      expect.stringContaining('globex/mail sent as 10.0.0.77 → acme/db tcp/5432'),
    ])
  } finally {
    proxy.close()
    for (const socket of sockets) socket.destroy()
  }
}, 15_000)

test('lists, and a VM set at the center', async () => {
  expect((await cli('hosts')).stdout).toMatch(/kvm-1 +yes +yes/)
  expect((await cli('endpoints', '--tenant', 'globex')).stdout).toMatch(/mail +globex +kvm-1/)
  expect((await cli('rules', '--sort', 'hits')).stdout).toContain('acme / shop / web-to-db')
  expect((await cli('vms', 'set', 'mail', '--label', 'tier=x', '--address', '10.0.0.9')).stdout).toContain(
    'role=mail tier=x',
  )
  expect((await cli('vms', 'set', 'mail', '--reset', 'label:tier')).stdout).not.toContain('tier=x')
  expect((await cli('vms', 'set', 'mail', '--os', 'debian 12')).stdout).toMatch(/OS +debian 12 +debian 12/)
  expect((await cli('vms', 'set', 'mail', '--reset', 'os')).stdout).not.toContain('debian')
  expect(JSON.parse((await cli('status', '--json')).stdout)).toMatchObject({ hosts: { total: 1 } })
})

test('verify tells what a host’s kernel holds, and ends with 1 when something differs', async () => {
  const good = await cli('verify')
  expect([good.code, good.stderr]).toEqual([0, ''])
  expect(good.stdout).toMatch(/^kvm-1: revision \d+, read back from the kernel/)
  expect(good.stdout).toContain('verdicts: 6, as planned')
  expect(good.stdout).toMatch(/mail +tap-mail +as planned +2/)
  agent.setFound((state) => ({
    plan: { revision: 1, digest: 'a'.repeat(64) },
    tables: [{ table: 'verdicts', rows: 5, missing: 1, surplus: 0, different: 0 }],
    endpoints: state.endpoints.map((one) =>
      one.vmName === 'db'
        ? { ...one, state: 'differs', findings: ['1 of its verdicts are not those of the plan'] }
        : one,
    ),
  }))
  const bad = await cli('verify', '--host', 'kvm-1', '--vm', 'db')
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('1 of 1 hosts are not as planned')])
  expect(bad.stdout).toMatch(/behind: revision \d+ is planned/)
  expect(bad.stdout).toContain('verdicts: 5; 1 missing, 0 too many, 0 different')
  expect(bad.stdout).toMatch(/db +tap-db +differs +2 +1 of its verdicts are not those of the plan/)
  expect(bad.stdout).not.toContain('tap-web')
  agent.setFound((state) => state)
  expect(JSON.parse((await cli('verify', '--json')).stdout)).toMatchObject({
    hosts: [{ host: 'kvm-1', endpoints: [{ state: 'realized' }, { state: 'realized' }, { state: 'realized' }] }],
  })
  expect((await cli('verify', '--host', 'kvm-9')).stderr).toContain('api.not-found')
})

test('a host that does not confirm in time: published, told, exit 6', async () => {
  agent.close()
  await writeFile(policyPath, policy.replace('5432', '5433'))
  expect(await cli('apply', policyPath)).toMatchObject({ code: 0 })
  const { code, stdout, stderr } = await cli('publish', '--wait', '300ms')
  expect([code, stderr]).toEqual([6, expect.stringContaining('1 of 1 hosts have not confirmed it')])
  expect(stdout).toMatch(/Published revision \d+\./)
  const unasked = await cli('verify')
  expect([unasked.code, unasked.stdout]).toEqual([1, expect.stringContaining('kvm-1 is not connected')])
})

test('a token others can read is refused, a foreign one is not accepted, and neither is shown', async () => {
  const path = join(directory, 'foreign')
  await writeFile(path, 'not-the-token\n', { mode: 0o600 })
  const foreign = await cli('status', '--token-file', path)
  expect([foreign.code, foreign.stdout]).toEqual([5, ''])
  expect(foreign.stderr).toContain(`error[api.unauthenticated]: The center does not know the token in ${path}.`)
  expect(foreign.stderr).not.toContain('not-the-token')
  await chmod(path, 0o644)
  expect((await cli('status', '--token-file', path)).stderr).toContain('cli.token-exposed')
})
