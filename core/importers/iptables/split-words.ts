/** A line of iptables-save → its words: blanks separate, double quotes hold together, a backslash keeps the next character. Null: a quote never closes. */
export function splitWords(line: string): readonly string[] | null {
  const words: string[] = []
  let word: string | null = null
  let quoted = false
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? ''
    if (character === '\\' && quoted && at + 1 < line.length) {
      at += 1
      word = (word ?? '') + (line[at] ?? '')
    } else if (character === '"') {
      quoted = !quoted
      word ??= ''
    } else if (!quoted && (character === ' ' || character === '\t')) {
      if (word !== null) words.push(word)
      word = null
    } else word = (word ?? '') + character
  }
  if (quoted) return null
  if (word !== null) words.push(word)
  return words
}
