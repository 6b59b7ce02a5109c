/**
 * The policy engine at scale, on one core: policy text and inventory → plans of every host, one label change → plans, the semantic difference of a change
 * of one rule; beside it the naive way, every rule as pairs of addresses. Each size runs in a process of its own: its time has the cold start in it, its
 * memory is this work's alone.
 */
import { join } from 'node:path'

import { exec } from '@hyperward/os'

import type { Bench, Figures, RunOptions } from './lib/bench.ts'
import type { FleetSize } from './plan/fleet.ts'
import { fitExponent } from './policy/fit-exponent.ts'

const asked: readonly FleetSize[] = [
  { endpoints: 10_000, rules: 2000, hosts: 200, tenants: 20 },
  { endpoints: 100_000, rules: 20_000, hosts: 2000, tenants: 200 },
]
/** Everything grows alike, so that the exponent says how cost follows the whole. */
const between: readonly FleetSize[] = [
  { endpoints: 20_000, rules: 4000, hosts: 400, tenants: 40 },
  { endpoints: 50_000, rules: 10_000, hosts: 1000, tenants: 100 },
]

export const bench: Bench = {
  name: 'policy',
  summary: 'policy engine at 10,000 and 100,000 endpoints: full compile, memory, one label change, semantic diff',
  run: async ({ quick, progress, signal }) => {
    const rows: Figures[] = []
    const sizes = quick ? asked.slice(0, 1) : [...asked, ...between].sort((a, b) => a.endpoints - b.endpoints)
    const all: Figures[] = []
    for (const size of sizes) {
      signal.throwIfAborted()
      const row = await measure(size, progress)
      all.push(row)
      if (asked.includes(size)) rows.push(row)
    }
    return {
      rows,
      growth_exponent: quick ? null : fitGrowth(all, 'full_compile_ms'),
      growth: quick ? null : fitAll(all),
    }
  },
}

function fitAll(rows: readonly Figures[]): Figures {
  const keys = ['full_compile_ms', 'peak_memory_mb', 'one_change_ms', 'semantic_diff_ms', 'naive_whole_ms']
  return Object.fromEntries(keys.map((key) => [key, fitGrowth(rows, key)]))
}

function fitGrowth(rows: readonly Figures[], key: string): number {
  return fitExponent(rows.map((row) => [Number(row['endpoints']), Number(row[key])]))
}

async function measure(size: FleetSize, progress: RunOptions['progress']): Promise<Figures> {
  progress(`${size.endpoints} endpoints, ${size.rules} rules, ${size.hosts} hosts, ${size.tenants} tenants`)
  const script = join(import.meta.dirname, 'policy/measure.ts')
  const args = [size.endpoints, size.rules, size.hosts, size.tenants, 30].map(String)
  const command = ['-c', '0', process.execPath, '--max-old-space-size=6144', script, ...args]
  const { code, stdout, stderr } = await exec('taskset', command, { timeoutMs: 300_000 })
  if (code !== 0) throw new Error(`the measuring process ended with ${code}: ${stderr.slice(-2000)}`)
  const parsed: unknown = JSON.parse(stdout)
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`the measuring process printed ${stdout}`)
  const figures: Record<string, number> = {}
  for (const [key, value] of Object.entries(parsed)) {
    if (typeof value !== 'number') throw new Error(`${key} is not a number`)
    figures[key] = Math.round(value * 10) / 10
  }
  progress(
    `  full ${figures['full_compile_ms']} ms, ${figures['peak_memory_mb']} MB; one change ${figures['one_change_ms']} ms; diff ${figures['semantic_diff_ms']} ms; naive ${figures['naive_whole_ms']} ms for ${figures['naive_pairs']} pairs`,
  )
  return figures
}
