/**
 * The one loop every part that keeps something reconciled runs in. Rounds never overlap; triggers that arrive during a round or close together make one
 * more round; without triggers a round runs every `intervalMs`. After a failed round the next waits (back-off), a trigger not longer than the first step:
 * a kernel that says no is not asked in a busy loop, and a change is not left lying for long. A round that throws is a bug: it ends as a failed round, with the
 * error in its report, and the loop goes on. The loop never undoes anything: stopping it leaves what the rounds made.
 */
import { createBackoff } from './backoff.ts'

/** `kept`: an input could not be read, so the round changed nothing. */
export type RoundOutcome = 'unchanged' | 'applied' | 'kept' | 'failed'

export interface Round {
  readonly outcome: RoundOutcome
  readonly reason: string | null
}

export interface RoundReport<R extends Round> {
  /** null when the round threw. */
  readonly round: R | null
  readonly outcome: RoundOutcome
  readonly reason: string | null
  /** What caused the round, each cause once. */
  readonly causes: readonly string[]
  readonly ms: number
  /** Set when the round threw. */
  readonly error: unknown
}

export interface ReconcilerOptions<R extends Round> {
  readonly round: (causes: readonly string[]) => Promise<R>
  /** Once a round, in order. */
  readonly onRound: (report: RoundReport<R>) => void
  readonly intervalMs: number
  /** Triggers within this time make one round. Default 0: the next turn of the event loop. */
  readonly coalesceMs?: number
  readonly backoff: { readonly minMs: number; readonly maxMs: number }
  readonly now: () => number
  readonly random: () => number
}

export interface Reconciler<R extends Round> {
  /** Asks for a round. Before `start` it is remembered for the first one. */
  trigger(cause: string): void
  /** Like `trigger`; resolves with the report of a round that began after this call. After `stop` it never resolves. */
  request(cause: string): Promise<RoundReport<R>>
  start(): void
  /** Lets the running round end and starts no other. */
  stop(): Promise<void>
}

export function createReconciler<R extends Round>(options: ReconcilerOptions<R>): Reconciler<R> {
  const backoff = createBackoff({ ...options.backoff, random: options.random })
  let causes = new Set<string>()
  let waiters: ((report: RoundReport<R>) => void)[] = []
  let timer: NodeJS.Timeout | null = null
  let due = Infinity
  let running: Promise<void> | null = null
  let state: 'new' | 'started' | 'stopped' = 'new'
  let failing = false

  function schedule(delayMs: number): void {
    if (state !== 'started') return
    const at = options.now() + delayMs
    if (timer !== null) {
      if (at >= due) return
      clearTimeout(timer)
    }
    due = at
    timer = setTimeout(begin, delayMs)
  }

  function begin(): void {
    timer = null
    due = Infinity
    // the end of the running round schedules the next one, for the causes that gathered meanwhile
    if (running !== null || state !== 'started') return
    running = runRound().finally(() => {
      running = null
      if (causes.size > 0) schedule(triggerDelayMs())
      schedule(failing ? backoff.next() : options.intervalMs)
    })
  }

  function triggerDelayMs(): number {
    return failing ? options.backoff.minMs : (options.coalesceMs ?? 0)
  }

  async function runRound(): Promise<void> {
    const roundCauses = causes.size > 0 ? [...causes] : ['interval']
    const roundWaiters = waiters
    causes = new Set()
    waiters = []
    const begun = options.now()
    let report: RoundReport<R>
    try {
      const round = await options.round(roundCauses)
      const ms = options.now() - begun
      report = { round, outcome: round.outcome, reason: round.reason, causes: roundCauses, ms, error: null }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      report = { round: null, outcome: 'failed', reason, causes: roundCauses, ms: options.now() - begun, error }
    }
    failing = report.outcome === 'failed'
    if (!failing) backoff.reset()
    options.onRound(report)
    for (const resolve of roundWaiters) resolve(report)
  }

  function trigger(cause: string): void {
    causes.add(cause)
    if (running === null) schedule(triggerDelayMs())
  }

  return {
    trigger,
    request(cause) {
      return new Promise((resolve) => {
        waiters.push(resolve)
        trigger(cause)
      })
    },
    start() {
      if (state !== 'new') return
      state = 'started'
      schedule(0)
    },
    async stop() {
      state = 'stopped'
      if (timer !== null) clearTimeout(timer)
      timer = null
      await running
    },
  }
}
