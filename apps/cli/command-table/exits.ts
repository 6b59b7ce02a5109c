import type { ExitName } from '../exit-codes.ts'

/** How every command that never speaks to a center may end. */
export const offlineExits = ['ok', 'failed', 'usage'] as const satisfies readonly ExitName[]
/** How every command that speaks to a center may end, beside its own ways. */
export const onlineExits = [
  'ok',
  'failed',
  'usage',
  'unreachable',
  'unauthorized',
] as const satisfies readonly ExitName[]
