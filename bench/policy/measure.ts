/** Run in a process of its own, so that its peak memory and its cold start are those of this work alone. Prints one JSON object. */
import { hash } from 'node:crypto'

import { type Inventory, type Policy, parseRevision, type Revision } from '@hyperward/model'
import { type Compilation, compile, diffPolicies, parsePolicy, resolve } from '@hyperward/policy'

import { type FleetSize, makeInventory, makePolicyText } from './fleet.ts'
import { expandNaively } from './expand-naively.ts'

const [endpoints = 0, rules = 0, hosts = 0, tenants = 0, changes = 0] = process.argv.slice(2).map(Number)
console.log(JSON.stringify(measure({ endpoints, rules, hosts, tenants }, changes)))

function measure(size: FleetSize, changes: number): Readonly<Record<string, number>> {
  const text = makePolicyText(size)
  const inventory = makeInventory(size)
  const inputMemory = peakMemoryMb()
  const start = performance.now()
  const policy = toPolicy(text)
  const parsedAt = performance.now()
  const resolved = resolve(policy, inventory)
  const resolvedAt = performance.now()
  const compilation = compile(resolved, { revision: toRevision(1), sha256 })
  const end = performance.now()
  const fullMemory = peakMemoryMb()
  const one = changeOneByOne(compilation, inventory, changes)
  const memory = peakMemoryMb()
  const diff = diffOneByOne(compilation, text)
  const diffMemory = peakMemoryMb()
  const naive = expandNaively(policy, inventory)
  return {
    endpoints: size.endpoints,
    rules: policy.rules.length,
    groups: policy.groups.length,
    tenants: size.tenants,
    hosts: size.hosts,
    identities: resolved.classes.length,
    full_compile_ms: end - start,
    parse_ms: parsedAt - start,
    resolve_ms: resolvedAt - parsedAt,
    compile_ms: end - resolvedAt,
    peak_memory_mb: memory,
    full_memory_mb: fullMemory,
    input_memory_mb: inputMemory,
    diff_memory_mb: diffMemory,
    one_change_ms: middle(one),
    one_change_worst_ms: one.at(-1) ?? Number.NaN,
    semantic_diff_ms: middle(diff),
    semantic_diff_worst_ms: diff.at(-1) ?? Number.NaN,
    largest_plan_rows: Math.max(...compilation.plans.map((plan) => plan.sections.verdicts.length)),
    naive_pairs: naive.pairs,
    naive_ms: naive.ms,
    naive_whole_ms: naive.wholeMs,
  }
}

/** Each change is another VM and another kind: to a combination of labels that exists, to one that is new, to none. Ascending. */
function changeOneByOne(first: Compilation, firstInventory: Inventory, count: number): readonly number[] {
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

/** Drafts of one rule more or less, or another port, each resolved and compared with what is in force: all that a person waits for but the reading of the text. */
function diffOneByOne({ resolved }: Compilation, text: string): readonly number[] {
  const drafts = [
    text.replace('{tcp: [9040]}', '{tcp: [9041]}'),
    text.replace('      postgres: {tcp: [5432]}', '      postgres: {tcp: [5432, 5433]}'),
    text.replace(/ {10}- name: rule-3\n(?: {12}.*\n)*/, ''),
    text.replace('name: rule-5\n', 'name: rule-5\n            log: true\n').replace('to: db-5', 'to: db-6'),
    text.replace('{tcp: [9050]}', '{tcp: [9051]}'),
  ]
  const times: number[] = []
  for (const draft of drafts) {
    if (draft === text) throw new Error('a draft that changes nothing')
    const policy = toPolicy(draft)
    const start = performance.now()
    const after = resolve(policy, resolved.inventory, resolved)
    const diff = diffPolicies(resolved, after)
    times.push(performance.now() - start)
    if (diff.total === 0) throw new Error('a difference that is none')
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

function toPolicy(text: string): Policy {
  const parsed = parsePolicy(text, 'policy.yaml')
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics.slice(0, 3)))
  return parsed.value
}

function middle(ascending: readonly number[]): number {
  return ascending[ascending.length >> 1] ?? Number.NaN
}

function peakMemoryMb(): number {
  return process.resourceUsage().maxRSS / 1024
}

function toRevision(value: number): Revision {
  const revision = parseRevision(value)
  if (revision === null) throw new Error('not a revision')
  return revision
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}
