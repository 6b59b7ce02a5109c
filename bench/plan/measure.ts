/** Run in a process of its own, so that its peak memory and its cold start are those of this work alone. Prints one JSON object. */
import { createHash } from 'node:crypto'

import { type Inventory, parseRevision, type Revision } from '@hyperward/model'
import { type Compilation, compile, parsePolicy, resolve } from '@hyperward/policy'

import { type FleetSize, makeInventory, makePolicyText } from './fleet.ts'

const [endpoints = 0, rules = 0, hosts = 0, tenants = 0, changes = 0] = process.argv.slice(2).map(Number)
console.log(JSON.stringify(measure({ endpoints, rules, hosts, tenants }, changes)))

function measure(size: FleetSize, changes: number): Readonly<Record<string, number>> {
  const text = makePolicyText(size)
  const inventory = makeInventory(size)
  const baseline = process.resourceUsage().maxRSS / 1024
  const start = performance.now()
  const parsed = parsePolicy(text, 'policy.yaml')
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics.slice(0, 3)))
  const parsedAt = performance.now()
  const resolved = resolve(parsed.value, inventory)
  const resolvedAt = performance.now()
  const compilation = compile(resolved, { revision: toRevision(1), sha256 })
  const end = performance.now()
  const full = process.resourceUsage().maxRSS / 1024
  const times = oneByOne(compilation, inventory, changes)
  const verdicts = compilation.plans.map((plan) => plan.sections.verdicts.length)
  return {
    full_compile_ms: end - start,
    parse_ms: parsedAt - start,
    resolve_ms: resolvedAt - parsedAt,
    compile_ms: end - resolvedAt,
    peak_memory_mb: process.resourceUsage().maxRSS / 1024,
    full_memory_mb: full,
    input_memory_mb: baseline,
    one_change_ms: times[times.length >> 1] ?? Number.NaN,
    one_change_worst_ms: times.at(-1) ?? Number.NaN,
    rules: parsed.value.rules.length,
    identities: resolved.classes.length,
    largest_plan_rows: Math.max(...verdicts),
  }
}

/** Each change is another VM and another kind: to a combination of labels that exists, to one that is new, to none. Ascending. */
function oneByOne(first: Compilation, firstInventory: Inventory, count: number): readonly number[] {
  let previous = first
  let inventory = firstInventory
  const times: number[] = []
  for (let change = 0; change < count; change += 1) {
    const at = (change * 3571 + 17) % inventory.vms.length
    inventory = {
      hosts: inventory.hosts,
      vms: inventory.vms.map((vm, index) => (index === at ? relabel(vm, change) : vm)),
    }
    const start = performance.now()
    const resolved = resolve(previous.resolved.policy, inventory, previous.resolved)
    const next = compile(resolved, { revision: toRevision(change + 2), sha256, previous })
    times.push(performance.now() - start)
    if (next.plans.every((plan, index) => plan.digest === previous.plans[index]?.digest))
      throw new Error('a change that changed nothing')
    previous = next
  }
  return times.sort((a, b) => a - b)
}

function relabel(vm: Inventory['vms'][number], change: number): Inventory['vms'][number] {
  const { tier, app } = vm.labels
  const labels = [
    { ...vm.labels, tier: tier === 'web' ? 'db' : 'web' },
    { ...vm.labels, tier: tier === 'db' ? 'app' : 'db', app: app === 'app-1' ? 'app-2' : 'app-1', env: 'staging' },
    { name: vm.labels['name'] ?? '' },
  ][change % 3]
  return { ...vm, labels: labels ?? {} }
}

function toRevision(value: number): Revision {
  const revision = parseRevision(value)
  if (revision === null) throw new Error('not a revision')
  return revision
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
