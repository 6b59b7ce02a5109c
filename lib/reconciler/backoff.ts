/**
 * How long to wait before the next try: doubles from `minMs` to `maxMs`, each wait drawn from the upper half of its step,
 * so that many who lost the same peer do not come back together.
 */
export interface BackoffOptions {
  readonly minMs: number
  readonly maxMs: number
  /** In [0, 1). */
  readonly random: () => number
}

export interface Backoff {
  /** The wait after one more failure. */
  next(): number
  reset(): void
}

export function createBackoff(options: BackoffOptions): Backoff {
  let failures = 0
  return {
    next() {
      // 2^30 steps of any minimum exceed every sensible maximum; the bound keeps the power finite
      const step = Math.min(options.maxMs, options.minMs * 2 ** Math.min(failures, 30))
      failures += 1
      return Math.round(step * (0.5 + options.random() / 2))
    },
    reset() {
      failures = 0
    },
  }
}
