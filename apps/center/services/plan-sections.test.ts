import { parseRevision } from '@hyperward/model'
import { parsePolicy, planText } from '@hyperward/policy'
import { assemblePlanText, planSectionNames, type PlanSectionName } from '@hyperward/protocol'
import { expect, test } from 'vitest'

import { compilePolicy } from '../policy/policy-engine.ts'
import { toReportedVms } from '../channel/read-report.ts'
import { samplePolicy, sampleVm } from '../testing/sample.ts'
import { createInventoryView } from './inventory-view.ts'
import { createPlanSections, listNewContent, measurePlan } from './plan-sections.ts'

test('a plan put together from its chunks is the canonical text, byte for byte; what plans share is rendered and stored once', () => {
  const inventory = createInventoryView()
  for (const [at, host] of ['host-1', 'host-2'].entries()) {
    inventory.addHost(host)
    const { vms } = toReportedVms([sampleVm(2 * at + 1, 'web'), sampleVm(2 * at + 2, 'db')])
    inventory.replaceVms(host, vms, [], new Date(0))
  }
  const policy = parsePolicy(samplePolicy(), 'p')
  const revision = parseRevision(7)
  if (!policy.ok || revision === null) throw new Error('the sample is good')
  const { plans, sections: cut } = compilePolicy({
    policy: policy.value,
    inventory: inventory.inventory(),
    revision,
    previous: null,
  })
  const sections = createPlanSections()
  const rendered = plans.map((plan) => sections.render(cut.get(plan.host) ?? expect.fail('a plan without sections')))
  expect(plans).toHaveLength(2)
  for (const [at, plan] of plans.entries()) {
    const own = rendered[at] ?? expect.fail('not rendered')
    const bodies = (name: PlanSectionName): readonly string[] => own[name].chunks.map((chunk) => chunk.body)
    const text = assemblePlanText(plan, {
      endpoints: bodies('endpoints'),
      zones: bodies('zones'),
      addresses: bodies('addresses'),
      networks: bodies('networks'),
      services: bodies('services'),
      verdicts: bodies('verdicts'),
      rules: bodies('rules'),
    })
    expect(text).toBe(planText(plan))
    expect(measurePlan(own).bytes).toBeLessThan(Buffer.byteLength(text))
  }
  const [one, two] = rendered
  if (one === undefined || two === undefined) return expect.fail('two plans')
  expect(planSectionNames.filter((name) => one[name] === two[name]).length).toBeGreaterThanOrEqual(3)
  const fresh = listNewContent(rendered, new Set([one.rules.digest]))
  const digests = [...fresh.sections, ...fresh.chunks].map((each) => each.digest)
  expect(new Set(digests).size).toBe(digests.length)
  expect(digests).not.toContain(one.rules.digest)
  expect(digests).toContain(one.addresses.digest)
})
