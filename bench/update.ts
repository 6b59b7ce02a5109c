/**
 * One endpoint more in a table of 10,000: what the agent's process spends from the new plan to the kernel having it. Each plan is parsed from JSON,
 * as the agent gets it, so that nothing is shared with the one before; parsing is not in the figure.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { createEbpfDriver } from '@hyperward/driver-ebpf'
import {
  hostPlanFormat,
  parseAddress,
  parseHostName,
  parseMac,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  toIdentity,
  toRuleRef,
  type Address,
  type AddressIdentity,
  type Digest,
  type HostPlan,
  type PlannedRule,
  type Revision,
  type Verdict,
} from '@hyperward/model'
import { execOk } from '@hyperward/os'
import { createLab } from '@hyperward/testkit'

import type { Bench } from './lib/bench.ts'

const endpoints = 10_000
const identities = 100

export const bench: Bench = {
  name: 'update',
  summary: 'one endpoint into a loaded table of 10,000: time inside the agent',
  async run({ quick, progress, signal }) {
    const root = join(import.meta.dirname, '..')
    await execOk(join(root, 'scripts/build-bpf'), [])
    const lab = await createLab({ prefix: 'hweupd' })
    try {
      const pinRoot = join(lab.dir, 'bpf')
      await execOk('mkdir', ['-p', pinRoot])
      lab.record({ kind: 'mount', path: pinRoot })
      await execOk('mount', ['-t', 'bpf', 'bpf', pinRoot])
      const created = createEbpfDriver({
        objectPath: join(root, 'dist/bpf/endpoint.bpf.o'),
        pinRoot,
        host: must(parseHostName('h1')),
        now: () => new Date(),
      })
      if (!created.known) throw new Error(created.reason)
      const driver = created.value
      try {
        const full = await driver.reconcile(makePlan(endpoints), [])
        if (full.outcome !== 'applied') throw new Error(full.reason ?? 'the full table was not loaded')
        progress(`${endpoints} endpoints loaded in ${full.ms.toFixed(1)} ms`)
        const times: number[] = []
        const rounds = quick ? 20 : 200
        for (let round = 1; round <= rounds && !signal.aborted; round += 1) {
          // as: what was just made from a plan
          const plan = JSON.parse(JSON.stringify(makePlan(endpoints + round))) as HostPlan
          const report = await driver.reconcile(plan, [])
          if (report.outcome !== 'applied' || report.generation !== 'kept')
            throw new Error(`not in place: ${JSON.stringify(report)}`)
          times.push(report.ms)
          await sleep(1)
        }
        const verified = await driver.verify()
        if (!verified.known || verified.value.drift.length > 0)
          throw new Error(`the kernel differs: ${JSON.stringify(verified)}`)
        times.sort((a, b) => a - b)
        const at = (share: number): number => Number((times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(3))
        return {
          one_endpoint_ms: at(0.5),
          one_endpoint_p99_ms: at(0.99),
          full_load_ms: Number(full.ms.toFixed(1)),
          endpoints,
        }
      } finally {
        driver.close()
      }
    } finally {
      await lab.close()
    }
  },
}

/** Endpoints of a fleet in 100 identities, all but none elsewhere; every identity may reach the next one's class. */
function makePlan(count: number): HostPlan {
  const rules: PlannedRule[] = [rule(0, 'default', 'drop'), rule(1, 'p', 'allow')]
  const verdicts: Verdict[] = []
  for (let i = 0; i < identities; i += 1) {
    for (let j = 0; j < identities; j += 1) {
      verdicts.push({
        direction: 'egress',
        local: identity(i),
        peer: identity(j),
        class: 1 + (j % 20),
        action: 'allow',
        rule: 1,
      })
    }
  }
  const vm = must(parseVmUuid('00000000-0000-4000-8000-000000000001'))
  const mac = must(parseMac('02:00:00:00:00:01'))
  return {
    format: hostPlanFormat,
    host: must(parseHostName('h1')),
    revision: count as Revision, // as: a plain counter
    digest: '0'.repeat(64) as Digest, // as: the driver does not look at it
    sections: {
      endpoints: [
        { id: toEndpointId(vm, mac), vm, vmName: 'vm', tenant: must(parseTenantName('acme')), mac, addresses: [] },
      ],
      zones: [],
      addresses: Array.from({ length: count }, (_, i): AddressIdentity => ({
        address: addressOf(i),
        identity: identity(i % identities),
      })),
      networks: [],
      services: Array.from({ length: 20 }, (_, i) => ({ protocol: 6, from: 8000 + i, to: 8000 + i, class: 1 + i })),
      verdicts,
      rules,
    },
  }
}

function identity(index: number): ReturnType<typeof toIdentity> {
  return toIdentity(2 + index)
}

const addresses: Address[] = []
function addressOf(index: number): Address {
  return (addresses[index] ??= must(parseAddress(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)))
}

function rule(number: number, policy: string, action: PlannedRule['action']): PlannedRule {
  return {
    number,
    ref: toRuleRef('builtin', null, policy, action),
    tier: 'builtin',
    tenant: null,
    policy,
    name: action,
    action,
    log: false,
  }
}

function must<T>(value: T | null): T {
  if (value === null) throw new Error('not parsed')
  return value
}
