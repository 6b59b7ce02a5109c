/**
 * The main job: one policy, two hosts, real virtual machines. Everything is done by the programs' own command lines; what passes and what does not
 * is asked of the guests. Prints a report; tells whether every expectation held.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { cleanupStale, createFabric, createLab, waitFor, type Lab } from '@hyperward/testkit'

import { expectationsAfter, expectationsBefore, type Expectation } from './expectations.ts'
import {
  createCli,
  enrollAndStartAgent,
  loadDoor,
  repositoryRoot,
  startCenter,
  type Center,
  type Cli,
} from './programs.ts'
import type { Report } from './report.ts'
import { showSpoofing } from './spoofing.ts'
import { addressOf, hostNames } from './topology.ts'
import { buildWorld, cacheDir, startServices, type World } from './world.ts'

export const labPrefix = 'hwd'

export interface MainJob {
  readonly lab: Lab
  readonly center: Center
  readonly managementNetns: string
  readonly asExpected: boolean
}

/** `say` tells progress as it happens. The lab stays up: the caller closes it. `onLab` is told of it as soon as it exists. */
export async function runMainJob(
  report: Report,
  say: (text: string) => void,
  onLab: (lab: Lab) => void,
): Promise<MainJob> {
  await cleanupStale(labPrefix)
  const lab = await createLab({ prefix: labPrefix })
  onLab(lab)
  say('making two hosts, each with its own libvirtd')
  const fabric = await createFabric(lab, { hosts: hostNames, cacheDir })
  say('closing the door on every tap, before any virtual machine starts')
  for (const host of fabric.hosts) await loadDoor(host)
  say('starting the policy center')
  const center = await startCenter(lab, fabric)
  const cli = createCli(lab, fabric, center)
  say('enrolling the access engines with one-time tokens')
  for (const host of fabric.hosts) await enrollAndStartAgent(host, cli, center)
  const world = await buildWorld(lab, fabric, say)
  await startServices(world)
  await waitForEndpoints(cli, 5)

  report.heading('Before any policy: nothing passes')
  for (const [from, to] of [
    ['web-1', 'app-1'],
    ['app-1', 'db-1'],
  ] as const) {
    const port = to === 'app-1' ? 8080 : 5432
    await checkMatrix(report, world, [{ from, to, protocol: 'tcp', port, fate: 'dropped' }], [4])
  }

  report.heading('One policy, published (examples/demo/policy.yaml)')
  await publish(cli, 'policy.yaml', report)
  await checkMatrix(report, world, expectationsBefore, [4, 6])

  await changeUnderTraffic(cli, world, report)
  await showSpoofing(cli, world, report)
  await showWords(cli, report)
  await showRealized(cli, report)
  const asExpected = report.end()
  return { lab, center, managementNetns: fabric.managementNetns, asExpected }
}

async function waitForEndpoints(cli: Cli, count: number): Promise<void> {
  await waitFor(
    async () => {
      const { endpoints } = (await cli.json('endpoints')) as { endpoints: readonly unknown[] } // as: schema/openapi.json
      return endpoints.length >= count
    },
    { timeoutMs: 30_000, intervalMs: 500, what: `the report of ${count} endpoints` },
  )
}

async function publish(cli: Cli, file: string, report: Report): Promise<void> {
  await cli.run('apply', join(repositoryRoot, 'examples/demo', file))
  const published = await cli.run('publish', '--wait', '10s')
  for (const line of published.trimEnd().split('\n')) report.note(line)
}

async function checkMatrix(
  report: Report,
  world: World,
  expectations: readonly Expectation[],
  families: readonly (4 | 6)[],
): Promise<void> {
  const rows = expectations.flatMap((expectation) => families.map((family) => ({ ...expectation, family })))
  // all at once: each guest's agent takes its own one after another
  const observed = await Promise.all(
    rows.map(({ from, to, protocol, port, family }) => world.attempt(from, to, protocol, port, family)),
  )
  rows.forEach(({ from, to, protocol, port, fate, family }, index) => {
    const what = `${from} → ${to} ${protocol}${port === 0 ? '' : `/${port}`} IPv${family}`
    report.check({ what, expected: fate, observed: observed[index] ?? 'not tried' })
  })
}

/** Two connections are open while the policy changes: the one that the new policy forbids is cut, the other lives. */
async function changeUnderTraffic(cli: Cli, world: World, report: Report): Promise<void> {
  report.heading('The policy changes under traffic (examples/demo/policy-changed.yaml)')
  const app = world.guests['app-1'].agent
  const web = world.guests['web-1'].agent
  const forbidden = await app.call('hold', { address: addressOf('db-1', 4), port: 5432, timeoutMs: 3000 })
  const allowed = await web.call('hold', { address: addressOf('app-1', 4), port: 8080, timeoutMs: 3000 })
  if (forbidden.handle === undefined || allowed.handle === undefined) {
    throw new Error(`the connections to hold did not open: ${forbidden.outcome}, ${allowed.outcome}`)
  }
  await cli.run('apply', join(repositoryRoot, 'examples/demo/policy-changed.yaml'))
  for (const line of (await cli.run('diff')).trimEnd().split('\n')) report.note(line)
  const published = (await cli.json('publish', '--wait', '10s')) as PublishAnswer // as: docs/cli.md
  for (const host of published.hosts) {
    const { sincePublishMs: ms } = host
    const withinASecond = ms !== null && ms < 1000
    report.check({
      what: `in force on ${host.host} ${ms === null ? 'never' : `after ${ms} ms`}`,
      expected: '< 1 s',
      observed: withinASecond ? '< 1 s' : 'later',
    })
  }
  const publishedAt = performance.now()
  await sleep(1500)
  const cut = await app.call('held', { handle: forbidden.handle })
  const sinceMs = performance.now() - publishedAt
  // the last echo came before the publish ended, give or take the agent's own round trip
  const silent = cut.broken !== null || cut.silentMs > sinceMs - 600
  report.check({ what: 'app-1 → db-1 tcp/5432, open before', expected: 'cut', observed: silent ? 'cut' : 'alive' })
  const kept = await web.call('held', { handle: allowed.handle })
  const alive = kept.broken === null && kept.silentMs < 1000
  report.check({ what: 'web-1 → app-1 tcp/8080, open before', expected: 'alive', observed: alive ? 'alive' : 'cut' })
  await app.call('release', { handle: forbidden.handle })
  await web.call('release', { handle: allowed.handle })
  await checkMatrix(report, world, expectationsAfter, [4, 6])
}

interface PublishAnswer {
  readonly hosts: readonly { readonly host: string; readonly sincePublishMs: number | null }[]
}

async function showWords(cli: Cli, report: Report): Promise<void> {
  report.heading('Counted and told in the words of the author')
  // counters and flows come with the agents' next report
  await sleep(3000)
  const { rules } = (await cli.json('rules')) as { rules: readonly CountedRule[] } // as: schema/openapi.json
  for (const name of ['everyone-to-web', 'ping-inside-the-shop', 'nobody-else-to-the-database', 'nobody-uses-ssh']) {
    const hits = rules.find(({ rule }) => rule.name === name)?.hits ?? 0
    report.check({ what: `hits of ${name}`, expected: 'counted', observed: hits > 0 ? 'counted' : 'none' })
  }
  const { flows } = (await cli.json('flows', '--limit', '1000')) as { flows: readonly ToldFlow[] } // as: schema/openapi.json
  for (const rule of [
    'platform:/infrastructure/no-outside-to-databases',
    'tenant:acme/shop/nobody-else-to-the-database',
    'baseline:/defaults/nobody-uses-ssh',
  ]) {
    const told = flows.some((flow) => flow.kind === 'drop' && flow.rule === rule)
    report.check({ what: `drops by ${rule}`, expected: 'told', observed: told ? 'told' : 'not told' })
  }
  for (const line of (await cli.run('rules')).trimEnd().split('\n')) report.note(line)
  report.heading('Last flows')
  for (const line of (await cli.run('flows', '--limit', '12')).trimEnd().split('\n')) report.note(line)
}

/** What the kernels hold, read back after all that has happened. */
async function showRealized(cli: Cli, report: Report): Promise<void> {
  report.heading('What each kernel holds, beside its plan')
  const { hosts } = (await cli.json('verify')) as { hosts: readonly RealizedHost[] } // as: schema/openapi.json
  for (const { host, endpoints, tables } of hosts) {
    const differs = endpoints.filter(({ state }) => state !== 'realized').length
    const rows = tables.filter(({ missing, surplus, different }) => missing + surplus + different > 0).length
    report.check({
      what: `${host}: ${endpoints.length} endpoints, ${tables.length} tables`,
      expected: 'as planned',
      observed: differs + rows === 0 && endpoints.length > 0 ? 'as planned' : `${differs} + ${rows} differ`,
    })
  }
  for (const line of (await cli.run('verify')).trimEnd().split('\n')) report.note(line)
}

interface RealizedHost {
  readonly host: string
  readonly endpoints: readonly { readonly state: string }[]
  readonly tables: readonly { readonly missing: number; readonly surplus: number; readonly different: number }[]
}

interface CountedRule {
  readonly rule: { readonly name: string }
  readonly hits: number
}

interface ToldFlow {
  readonly kind: string
  readonly rule: string | null
}
