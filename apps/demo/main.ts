/** `scripts/demo [--once]`: runs the main job and stays up until Ctrl-C; with --once ends after the report. Exit 0 only if every expectation held. */
import type { Lab } from '@hyperward/testkit'

import { runMainJob } from './main-job.ts'
import { repositoryRoot } from './programs.ts'
import { createReport } from './report.ts'

const once = process.argv.includes('--once')
const unknown = process.argv.slice(2).filter((argument) => argument !== '--once')
const began = performance.now()
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const say = (text: string): void =>
  void process.stderr.write(`[${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s] ${text}\n`)

let lab: Lab | null = null
let leaving: Promise<void> | null = null

/** Removes everything once, however often it is asked. */
function leave(code: number): Promise<void> {
  leaving ??= (async () => {
    say('removing everything')
    await lab?.close()
    process.exit(code)
  })()
  return leaving
}

async function run(): Promise<void> {
  const report = createReport(print, process.stdout.isTTY)
  try {
    const job = await runMainJob(report, say, (made) => (lab = made))
    if (once) return await leave(job.asExpected ? 0 : 1)
    print('\nThe demo is up. In another terminal, as root:\n')
    const environment = Object.entries(job.center.environment).map(([key, value]) => `${key}=${value}`)
    print(`  cd ${repositoryRoot}`)
    print(`  alias hw='ip netns exec ${job.managementNetns} env ${environment.join(' ')} ./hyperward'`)
    print('  hw status; hw rules; hw events --follow; hw explain web-1 db-1 tcp/5432\n')
    say('Ctrl-C ends it and removes everything')
  } catch (error) {
    // an interrupted run fails because its lab is being removed: that is not what to tell
    if (leaving === null) {
      process.stderr.write(
        `the demo failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      )
    }
    await leave(1)
  }
}

if (unknown.length > 0) {
  process.stderr.write(`scripts/demo [--once]: unknown argument ${unknown.join(' ')}\n`)
  process.exitCode = 2
} else {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void leave(130))
  // keeps the process while the demo is up
  setInterval(() => undefined, 60_000)
  await run()
}
