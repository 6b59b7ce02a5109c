/**
 * Policy text and inventory → plans of every host: 10,000 endpoints, 2,000 rules, 100 hosts, 20 tenants spread over all of them.
 * Each size runs in a process of its own: its time has the cold start in it, its memory is this work's alone.
 */
import type { Bench, Figures } from './lib/bench.ts'
import type { FleetSize } from './policy/fleet.ts'
import { measureFleet } from './policy/measure-fleet.ts'

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
    const full = await measureFleet(fullSize, changes, progress)
    const growth: Record<string, Figures> = {}
    for (const size of quick ? [] : growthSizes) {
      signal.throwIfAborted()
      const { full_compile_ms, full_memory_mb, one_change_ms } = await measureFleet(size, changes, progress)
      growth[`${size.endpoints}`] = {
        full_compile_ms: full_compile_ms ?? null,
        full_memory_mb: full_memory_mb ?? null,
        one_change_ms: one_change_ms ?? null,
      }
    }
    return { ...full, growth }
  },
}
