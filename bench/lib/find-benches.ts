import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Bench } from './bench.ts'

export type FoundBench =
  | { readonly ok: true; readonly name: string; readonly bench: Bench }
  | { readonly ok: false; readonly name: string; readonly reason: string }

/** The benches of a folder, by name: each `<name>.ts` beside main.ts. One that cannot be loaded hides no other. */
export async function findBenches(folder: string): Promise<readonly FoundBench[]> {
  const found: FoundBench[] = []
  for (const file of readdirSync(folder).toSorted()) {
    const name = /^([a-z][a-z0-9-]*)\.ts$/.exec(file)?.[1]
    if (name === undefined || name === 'main') continue
    found.push(await loadBench(folder, name))
  }
  return found
}

async function loadBench(folder: string, name: string): Promise<FoundBench> {
  try {
    // as: what the file exports is checked in the next lines
    const module = (await import(join(folder, `${name}.ts`))) as { readonly bench?: Partial<Bench> }
    const bench = module.bench
    if (bench?.name !== name || typeof bench.summary !== 'string' || typeof bench.run !== 'function') {
      return { ok: false, name, reason: `bench/${name}.ts does not export a bench of that name` }
    }
    return { ok: true, name, bench: bench as Bench } // as: all three members were just looked at
  } catch (error) {
    return { ok: false, name, reason: error instanceof Error ? error.message : String(error) }
  }
}
