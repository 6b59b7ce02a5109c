/**
 * Columns a text takes on a terminal: 2 for East Asian Wide and Fullwidth characters and emoji (Unicode UAX #11), 0 for combining marks
 * and joiners, else 1. Ambiguous characters count 1, as terminals do outside legacy CJK locales.
 */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26aa, 0x26ab],
  [0x26bd, 0x26be],
  [0x26c4, 0x26c5],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x2753, 0x2755],
  [0x2795, 0x2797],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x1_6fe0, 0x1_8aff],
  [0x1_b000, 0x1_b2ff],
  [0x1_f004, 0x1_f004],
  [0x1_f0cf, 0x1_f0cf],
  [0x1_f18e, 0x1_f18e],
  [0x1_f191, 0x1_f19a],
  [0x1_f200, 0x1_f320],
  [0x1_f32d, 0x1_f64f],
  [0x1_f680, 0x1_f6ff],
  [0x1_f7e0, 0x1_f7eb],
  [0x1_f90c, 0x1_f9ff],
  [0x1_fa70, 0x1_faff],
  [0x2_0000, 0x3_fffd],
]

const plainAscii = /^[\u0020-\u007e]*$/
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u

export function displayWidth(text: string): number {
  if (plainAscii.test(text)) return text.length
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

function characterWidth(character: string): number {
  const point = character.codePointAt(0) ?? 0
  if (point < 0x300) return 1
  if (zeroWidth.test(character)) return 0
  return isWide(point) ? 2 : 1
}

function isWide(point: number): boolean {
  let low = 0
  let high = wideRanges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = wideRanges[middle]
    if (range === undefined) return false
    if (point < range[0]) high = middle - 1
    else if (point > range[1]) low = middle + 1
    else return true
  }
  return false
}
