// Compiler, center and agent together: whatever the hosts report one after another, what an agent puts together from chunks is the plan as compiled.
import { parseDigest, parseRevision, type HostPlan } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { cutSections, digestPlan, parseHostPlan, parsePolicy, planText, type Compilation } from '@hyperward/policy'
import {
  assemblePlanText,
  createPlanFetch,
  planSectionNames,
  servePlan,
  type FetchMessage,
  type HeldSections,
  type PlanSectionName,
} from '@hyperward/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { toReportedVms } from '../channel/read-report.ts'
import { compilePolicy } from '../policy/policy-engine.ts'
import { samplePolicy, sampleVm } from '../testing/sample.ts'
import { createInventoryView } from './inventory-view.ts'
import { createPlanSections, serveRendered, type RenderedPlan } from './plan-sections.ts'

const hosts = ['host-1', 'host-2', 'host-3']
const policy = parsePolicy(samplePolicy(), 'p')

/** What a host reports: numbers of its VMs with their roles. */
const report = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.constantFrom('web', 'db', 'other')), {
  maxLength: 6,
  selector: ([n]) => n,
})
const steps = fc.array(fc.tuple(fc.constantFrom(...hosts), report, fc.option(fc.nat(5))), {
  minLength: 1,
  maxLength: 8,
})

test('over any sequence of reports every agent puts together the plan as compiled, from what it lacks', async () => {
  if (!policy.ok) return expect.fail('the sample is good')
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const inventory = createInventoryView()
      for (const host of hosts) inventory.addHost(host)
      const sections = createPlanSections()
      const agents = new Map(hosts.map((host) => [host, createAgent()]))
      let previous: Compilation | null = null
      for (const [at, [host, vms, breakAfter]] of sequence.entries()) {
        inventory.replaceVms(host, toReportedVms(vms.map(([n, role]) => sampleVm(n, role))).vms, [], new Date(0))
        const revision = parseRevision(at + 1) ?? expect.fail('a revision')
        const compiled: Compilation = compilePolicy({
          policy: policy.value,
          inventory: inventory.inventory(),
          revision,
          previous,
        })
        previous = compiled
        for (const plan of compiled.plans) {
          const cut = compiled.sections.get(plan.host) ?? expect.fail('a plan without sections')
          expect(sections.render(cut).verdicts.digest).toBe(cutSections(plan.sections, sha256Hex).verdicts.digest)
          await agents.get(plan.host)?.take(plan, sections.render(cut), breakAfter)
        }
      }
    }),
    { numRuns: 60 },
  )
})

function createAgent() {
  let held: HostPlan | null = null
  return {
    async take(plan: HostPlan, rendered: RenderedPlan, breakAfter: number | null): Promise<void> {
      const fetch = createPlanFetch({
        sha256: sha256Hex,
        digestPlan: (told) => {
          const section = (name: PlanSectionName) => {
            return { digest: parseDigest(told[name]) ?? expect.fail('a digest'), chunks: [] }
          }
          const [endpoints, zones, addresses, networks, services, verdicts, rules] = planSectionNames
          return digestPlan(
            plan.host,
            {
              endpoints: section(endpoints),
              zones: section(zones),
              addresses: section(addresses),
              networks: section(networks),
              services: section(services),
              verdicts: section(verdicts),
              rules: section(rules),
            },
            sha256Hex,
          )
        },
        held: () => (held === null ? null : toHeld(held)),
      })
      const served = serveRendered(plan, rendered)
      let frames = 0
      for (const isLast of [false, true]) {
        const queue: FetchMessage[] = [fetch.begin(plan.digest)]
        for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
          const answer = servePlan(message, served)
          if (answer.kind === 'refused') return expect.fail(answer.reason)
          for await (const frame of answer.frames) {
            frames += 1
            if (!isLast && frames === breakAfter) {
              fetch.pause()
              queue.length = 0
              break
            }
            const step = fetch.onMessage(frame)
            if (step.kind === 'refused') return expect.fail(step.reason)
            if (step.kind === 'ask') queue.push(step.message)
            if (step.kind !== 'done') continue
            const { format, host, revision, digest } = plan
            const text = assemblePlanText({ format, host, revision, digest }, step.bodies)
            expect(text).toBe(planText(plan))
            const parsed = parseHostPlan(text, sha256Hex)
            if (!parsed.ok) return expect.fail(parsed.message)
            held = parsed.plan
            return
          }
        }
      }
      expect.fail('the plan never became whole')
    },
  }
}

function toHeld(plan: HostPlan): HeldSections {
  const cut = cutSections(plan.sections, sha256Hex)
  const section = (name: PlanSectionName): HeldSections[PlanSectionName] => ({
    digest: cut[name].digest,
    chunks: cut[name].chunks.map(({ digest, items }) => ({ digest, body: () => JSON.stringify(items) })),
  })
  return {
    endpoints: section('endpoints'),
    zones: section('zones'),
    addresses: section('addresses'),
    networks: section('networks'),
    services: section('services'),
    verdicts: section('verdicts'),
    rules: section('rules'),
  }
}
