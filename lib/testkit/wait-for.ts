import { setTimeout as sleep } from 'node:timers/promises'

/** Asks `predicate` until it gives something other than false, null or undefined; throws (naming `what`) after `timeoutMs`. A predicate that throws is asked again; its last error becomes the cause. */
export async function waitFor<T>(
  predicate: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  options: { readonly timeoutMs?: number; readonly intervalMs?: number; readonly what?: string } = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 10_000
  const end = performance.now() + timeoutMs
  let lastError: unknown
  for (;;) {
    try {
      const value = await predicate()
      if (value !== false && value !== null && value !== undefined) return value
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (performance.now() >= end) {
      throw new Error(`${options.what ?? 'what was waited for'} did not happen within ${timeoutMs} ms`, {
        cause: lastError,
      })
    }
    await sleep(options.intervalMs ?? 50)
  }
}
