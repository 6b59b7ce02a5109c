/** A text as a value inside `{…}` or `[…]` of a document: plain where that reads the same, else quoted, with what cannot be seen escaped. */
export function toFlowText(text: string): string {
  if (/^[\p{L}\p{N}](?:[\p{L}\p{N}._/-]*[\p{L}\p{N}])?$/u.test(text)) return text
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (unseen) =>
    [...Array(unseen.length).keys()].map((at) => `\\u${unseen.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )
}
