/** Code-unit order: the one order in which everything in a plan is sorted (a locale's order differs between machines). */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
