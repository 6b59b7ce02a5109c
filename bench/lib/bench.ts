/** What a benchmark is: each `bench/<name>.ts` exports one as `bench`, and `bench/main.ts` runs it. */
export type Figure = number | string | boolean | null | readonly Figure[] | Figures

/** The measured values. Keys are stable: they are read by programs. What could not be measured is null, with the reason beside it. */
export interface Figures {
  readonly [key: string]: Figure
}

export interface RunOptions {
  /** Fewer sizes and rounds: a sanity check, not a result. */
  readonly quick: boolean
  /** One line for a person, told on stderr. */
  readonly progress: (line: string) => void
  /** Aborted by Ctrl-C or SIGTERM: stop soon, remove what was made, reject. */
  readonly signal: AbortSignal
}

export interface Bench {
  /** The file's name without `.ts`. */
  readonly name: string
  /** One line for the list. */
  readonly summary: string
  run(options: RunOptions): Promise<Figures>
}
