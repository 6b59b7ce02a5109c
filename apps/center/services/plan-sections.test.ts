import { parseRevision } from '@hyperward/model'
import { parsePolicy, planText } from '@hyperward/policy'
import { expect, test } from 'vitest'

import { compilePolicy } from '../policy/policy-engine.ts'
import { toReportedVms } from '../channel/read-report.ts'
import { samplePolicy, sampleVm } from '../testing/sample.ts'
import { createInventoryView } from './inventory-view.ts'
import { assemblePlan, createPlanSections } from './plan-sections.ts'

test('a plan put together from its sections is the canonical text, byte for byte; shared sections are rendered once', () => {
  const inventory = createInventoryView()
  for (const [at, host] of ['host-1', 'host-2'].entries()) {
    inventory.addHost(host)
    const { vms } = toReportedVms([sampleVm(2 * at + 1, 'web'), sampleVm(2 * at + 2, 'db')])
    inventory.replaceVms(host, vms, [], new Date(0))
  }
  const policy = parsePolicy(samplePolicy(), 'p')
  const revision = parseRevision(7)
  if (!policy.ok || revision === null) throw new Error('the sample is good')
  const { plans } = compilePolicy({ policy: policy.value, inventory: inventory.inventory(), revision, previous: null })
  const sections = createPlanSections()
  const rendered = plans.map((plan) => sections.render(plan))
  expect(plans).toHaveLength(2)
  for (const [at, plan] of plans.entries()) expect(assemblePlan(plan, rendered[at] ?? [])).toBe(planText(plan))
  const [one, two] = rendered
  expect(one?.filter((row) => two?.includes(row)).length).toBeGreaterThanOrEqual(3)
})
