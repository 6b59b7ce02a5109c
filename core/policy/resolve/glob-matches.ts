/** `*` any run of characters, `?` one; the whole text, case as written. Linear in text × stars: no regular expression, so that no pattern can make it slow. */
export function globMatches(pattern: string, text: string): boolean {
  let at = 0
  let read = 0
  let star = -1
  let retry = 0
  while (read < text.length) {
    const wanted = pattern[at]
    if (wanted === '*') {
      star = at
      at += 1
      retry = read
    } else if (wanted === '?' || (wanted !== undefined && wanted === text[read])) {
      at += 1
      read += 1
    } else if (star >= 0) {
      at = star + 1
      retry += 1
      read = retry
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
