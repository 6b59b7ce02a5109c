/**
 * `npm run bench` lists the benchmarks; `npm run bench -- NAME [--quick]` runs one.
 * Progress goes to stderr; the last line of stdout is one JSON object `{"bench": NAME, "figures": {…}}`.
 * Exit code: 0 measured, 1 failed, 2 wrong use, 130 interrupted.
 */
import { parseArgs } from 'node:util'

import type { Bench } from './lib/bench.ts'
import { findBenches } from './lib/find-benches.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let name: string | undefined
  let quick: boolean
  try {
    const parsed = parseArgs({ args: [...args], options: { quick: { type: 'boolean' } }, allowPositionals: true })
    if (parsed.positionals.length > 1) throw new Error('one benchmark at a time')
    name = parsed.positionals[0]
    quick = parsed.values.quick === true
  } catch (error) {
    tell(`${error instanceof Error ? error.message : String(error)}\nuse: npm run bench -- NAME [--quick]`)
    return 2
  }
  const found = await findBenches(import.meta.dirname)
  if (name === undefined) {
    for (const entry of found) {
      console.log(`${entry.name.padEnd(12)}${entry.ok ? entry.bench.summary : `cannot be loaded: ${entry.reason}`}`)
    }
    return found.every((entry) => entry.ok) ? 0 : 1
  }
  const entry = found.find((candidate) => candidate.name === name)
  if (entry === undefined) {
    tell(`no benchmark is called ${name}; there are: ${found.map((candidate) => candidate.name).join(', ')}`)
    return 2
  }
  if (!entry.ok) {
    tell(`${name} cannot be loaded: ${entry.reason}`)
    return 1
  }
  return runBench(entry.bench, quick)
}

async function runBench(bench: Bench, quick: boolean): Promise<number> {
  const interrupt = new AbortController()
  const onSignal = (): void => {
    if (!interrupt.signal.aborted) tell('interrupted: removing what was made')
    interrupt.abort(new Error('interrupted'))
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    const figures = await bench.run({ quick, progress: tell, signal: interrupt.signal })
    if (interrupt.signal.aborted) return 130
    process.stdout.write(`${JSON.stringify({ bench: bench.name, figures })}\n`)
    return 0
  } catch (error) {
    if (interrupt.signal.aborted) return 130
    tell(`${bench.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return 1
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
