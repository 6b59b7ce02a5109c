import type { Locale } from '@hyperward/catalogue'

import type { CommandName, CommandValues, GlobalValues } from './command-table/command-table.ts'
import type { Center } from './connection/center.ts'
import type { ExitName } from './exit-codes.ts'
import type { Output, OutputStream } from './output.ts'
import type { Text } from './text.ts'

/** All that a run can reach outside itself; tests give their own. */
export interface Io {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly stdin: AsyncIterable<Uint8Array | string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly homeDirectory: string
  readonly now: () => Date
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
}

export interface CommandContext {
  readonly io: Io
  readonly out: Output
  readonly text: Text
  readonly locale: Locale
  readonly globals: GlobalValues
  /** The center of options, environment and configuration; made at first use, closed when the run ends. */
  connect(): Promise<Center>
}

export interface Call<N extends CommandName> {
  readonly values: CommandValues<N>
  readonly positionals: readonly string[]
  readonly context: CommandContext
}

/** Prints its result and tells how the run ends; failures are thrown (failures.ts). */
export type Run<N extends CommandName> = (call: Call<N>) => Promise<ExitName>
