/** How a run ended, for scripts. Numbers are part of the interface: never reuse one. docs/cli.md lists them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  diagnostics: 3,
  unreachable: 4,
  unauthorized: 5,
  unconfirmed: 6,
  conflict: 7,
  interrupted: 130,
} as const

export type ExitName = keyof typeof exitCodes
