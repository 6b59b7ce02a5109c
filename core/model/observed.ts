/** An answer that may not be known. "Could not read" never looks like "absent" (CONVENTIONS §4). */
export type Observed<T> =
  | { readonly known: true; readonly value: T }
  | { readonly known: false; readonly reason: string }

export function known<T>(value: T): Observed<T> {
  return { known: true, value }
}

export function unknown<T>(reason: string): Observed<T> {
  return { known: false, reason }
}
