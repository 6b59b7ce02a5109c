/**
 * For "Did you mean …?": the known word nearest to what was written (a third of the letters wrong at most), else the only one that begins with it; '' = none.
 * Cost is bounded: long words and long lists are not searched.
 */
export function nearest(written: string, known: Iterable<string>): string {
  if (written.length > 63) return ''
  const lower = written.toLowerCase()
  let best = ''
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1
  const begun: string[] = []
  let searched = 0
  for (const word of known) {
    searched += 1
    if (searched > 500) break
    if (written.length > 1 && word.startsWith(written)) begun.push(word)
    if (Math.abs(word.length - written.length) >= bestDistance) continue
    const distance = editDistance(lower, word.toLowerCase())
    if (distance < bestDistance) {
      best = word
      bestDistance = distance
    }
  }
  return best === '' && begun.length === 1 ? (begun[0] ?? '') : best
}

/** Optimal string alignment: insert, delete, replace, or swap two neighbours, each one step. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
