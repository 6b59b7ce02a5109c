/**
 * The policy engine at scale, on one core: policy text and inventory → plans of every host, one label change → plans, the semantic difference of a change
 * of one rule; beside it the naive way, every rule as pairs of addresses. Each size runs in a process of its own: its time has the cold start in it, its
 * memory is this work's alone.
 */
import type { Bench, Figures } from './lib/bench.ts'
import type { FleetSize } from './policy/fleet.ts'
import { fitExponent } from './policy/fit-exponent.ts'
import { measureFleet } from './policy/measure-fleet.ts'

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
      const row = await measureFleet(size, 90, progress)
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
