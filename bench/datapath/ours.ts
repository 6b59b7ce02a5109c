/** Our own program as a subject: loaded by the product's driver in a process that lives in the lab's host namespace (ours-runner.ts). */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { execOk, start, type RunningProcess } from '@hyperward/os'

import type { RunnerOrder, RunnerReport } from './ours-runner.ts'
import type { Subject } from './subject.ts'
import { workspaceFolder } from './workspace.ts'

const root = join(import.meta.dirname, '../..')
const objectPath = join(root, 'dist/bpf/endpoint.bpf.o')
const loadTimeoutMs = 60_000

/** `one` segment: local packets are handed over directly. `two`: every packet goes through the bridge, the closed door included; as it always does with `nftables`. */
export function toOurSubject(name: string, way: RunnerOrder['way']): Subject {
  return {
    name,
    bridgeNetfilter: false,
    load: async (lab, endpoints) => {
      // does nothing when the object is newer than its sources
      await execOk(join(root, 'scripts/build-bpf'), [], { timeoutMs: 120_000 })
      const folder = await mkdtemp(join(workspaceFolder, 'ours-'))
      const order: RunnerOrder = {
        size: endpoints.length,
        way,
        objectPath,
        pinRoot: folder,
        reportPath: `${folder}.report`,
      }
      const logFile = `${folder}.log`
      const program = join(import.meta.dirname, 'ours-runner.ts')
      const runner = await start(
        'unshare',
        ['--mount', '--propagation', 'private', process.execPath, program, JSON.stringify(order)],
        { netns: lab.hostNetns, logFile },
      )
      const unload = async (): Promise<void> => {
        await runner.stop()
        for (const path of [folder, order.reportPath, logFile]) await rm(path, { recursive: true, force: true })
      }
      try {
        const report = await waitForReport(runner, order.reportPath, logFile)
        if (report.failure !== null) throw new Error(report.failure)
        return unload
      } catch (error) {
        await unload()
        throw error
      }
    },
  }
}

async function waitForReport(runner: RunningProcess, path: string, logFile: string): Promise<RunnerReport> {
  let ended = false
  void runner.exited.then(() => (ended = true))
  const end = performance.now() + loadTimeoutMs
  for (;;) {
    // as: ours-runner.ts writes this, whole or not at all
    if (existsSync(path)) return JSON.parse(await readFile(path, 'utf8')) as RunnerReport
    if (ended) throw new Error(`the loader ended early: ${lastLine(await readFile(logFile, 'utf8'))}`)
    if (performance.now() > end) throw new Error(`not loaded within ${loadTimeoutMs} ms`)
    await sleep(20)
  }
}

function lastLine(text: string): string {
  const lines = text.trim().split('\n')
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? ''
}
