/**
 * Policy text and inventory → plans of every host: 10,000 endpoints, 2,000 rules, 100 hosts, 20 tenants spread over all of them.
 * Each size runs in a process of its own: its time has the cold start in it, its memory is this work's alone.
 */
import { join } from 'node:path'

import { exec } from '@hyperward/os'

import type { Bench, Figures, RunOptions } from './lib/bench.ts'
import type { FleetSize } from './plan/fleet.ts'

const fullSize: FleetSize = { endpoints: 10_000, rules: 2000, hosts: 100, tenants: 20 }
const growthSizes: readonly FleetSize[] = [
  { endpoints: 1000, rules: 500, hosts: 10, tenants: 5 },
  { endpoints: 20_000, rules: 2000, hosts: 100, tenants: 20 },
]

export const bench: Bench = {
  name: 'plan',
  summary: 'policy and inventory to plans: full compile, peak memory, one label change at 10,000 endpoints',
  run: async ({ quick, progress, signal }) => {
    const changes = 45
    const full = await measure(fullSize, changes, progress)
    const growth: Record<string, Figures> = {}
    for (const size of quick ? [] : growthSizes) {
      signal.throwIfAborted()
      const { full_compile_ms, full_memory_mb, one_change_ms } = await measure(size, changes, progress)
      growth[`${size.endpoints}`] = {
        full_compile_ms: full_compile_ms ?? null,
        full_memory_mb: full_memory_mb ?? null,
        one_change_ms: one_change_ms ?? null,
      }
    }
    return { ...full, growth }
  },
}

async function measure(size: FleetSize, changes: number, progress: RunOptions['progress']): Promise<Figures> {
  progress(`${size.endpoints} endpoints, ${size.rules} rules, ${size.hosts} hosts, ${size.tenants} tenants`)
  const script = join(import.meta.dirname, 'plan/measure.ts')
  const args = [size.endpoints, size.rules, size.hosts, size.tenants, changes].map(String)
  const { code, stdout, stderr } = await exec(process.execPath, [script, ...args], { timeoutMs: 120_000 })
  if (code !== 0) throw new Error(`the measuring process ended with ${code}: ${stderr.slice(-2000)}`)
  const parsed: unknown = JSON.parse(stdout)
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`the measuring process printed ${stdout}`)
  const figures: Record<string, number> = {}
  for (const [key, value] of Object.entries(parsed)) {
    if (typeof value !== 'number') throw new Error(`${key} is not a number`)
    figures[key] = Math.round(value * 10) / 10
  }
  progress(
    `  full ${figures['full_compile_ms']} ms, ${figures['full_memory_mb']} MB; one change ${figures['one_change_ms']} ms`,
  )
  return figures
}
