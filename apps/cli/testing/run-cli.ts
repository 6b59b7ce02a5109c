import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Io } from '../command.ts'
import { run } from '../run.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One run with its own streams, through the same `run` as the program. */
export async function runCli(argv: readonly string[], given: Partial<Io> = {}): Promise<Ran> {
  let stdout = ''
  let stderr = ''
  const home = given.homeDirectory ?? (await mkdtemp(join(tmpdir(), 'hwi-home-')))
  try {
    const code = await run(argv, {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      stdin: (async function* () {})(),
      env: {},
      homeDirectory: home,
      now: () => new Date(),
      signal: new AbortController().signal,
      ...given,
    })
    return { code, stdout, stderr }
  } finally {
    if (given.homeDirectory === undefined) await rm(home, { recursive: true, force: true })
  }
}
