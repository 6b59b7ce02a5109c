const sgr = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type StyleName = keyof typeof sgr
export type Style = (name: StyleName, text: string) => string

export function createStyle(enabled: boolean): Style {
  return enabled ? (name, text) => `\u001b[${sgr[name]}m${text}\u001b[0m` : (_name, text) => text
}

/** Colour only on a terminal that can show it, and never against the user's word (https://no-color.org). */
export function isColorWanted(isTty: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false
  return isTty && env['TERM'] !== 'dumb'
}
