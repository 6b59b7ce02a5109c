/**
 * Makes text from elsewhere (VM names, messages of agents, lines of a document) safe for a terminal: control characters could move the
 * cursor or set the clipboard, bidirectional overrides could show a rule other than the one that is meant. They are shown as `\u{…}`.
 */
const dangerous = /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

export function toPrintable(text: string): string {
  return text.replace(dangerous, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
