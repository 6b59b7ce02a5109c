/** Measures one size in a process of its own, kept to one core: its time has the cold start in it, its memory is this work's alone. */
import { join } from 'node:path'

import { exec } from '@hyperward/os'

import type { RunOptions } from '../lib/bench.ts'
import type { FleetSize } from './fleet.ts'

/** `changes`: how many label changes are made, one after the other. */
export async function measureFleet(
  size: FleetSize,
  changes: number,
  progress: RunOptions['progress'],
): Promise<Readonly<Record<string, number>>> {
  progress(`${size.endpoints} endpoints, ${size.rules} rules, ${size.hosts} hosts, ${size.tenants} tenants`)
  const script = join(import.meta.dirname, 'measure.ts')
  const args = [size.endpoints, size.rules, size.hosts, size.tenants, changes].map(String)
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
  const { full_compile_ms, peak_memory_mb, one_change_ms, semantic_diff_ms, naive_whole_ms, naive_pairs } = figures
  progress(
    `  full ${full_compile_ms} ms, ${peak_memory_mb} MB; one change ${one_change_ms} ms; diff ${semantic_diff_ms} ms; naively ${naive_whole_ms} ms for ${naive_pairs} pairs`,
  )
  return figures
}
