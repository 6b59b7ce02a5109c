import { assertNever, type Guarantee } from '@hyperward/model'

import type { Fate } from '../symbolic/fates.ts'

/** How badly a fate breaks a guarantee: 0 = not at all; 2 = what should be stopped or inspected passes as it is. */
export type Breach = 0 | 1 | 2

/** `always` means that it passes, whoever looks into it; `never` that nothing does, a gateway in between or not. */
export function judgeGuarantee({ kind, profile }: Guarantee, fate: Fate): Breach {
  const { verdict } = fate
  const refused = verdict === 'drop' || verdict === 'reject'
  const inspected = verdict === 'inspect'
  if (verdict === 'not-enforced') return 0
  switch (kind) {
    case 'never':
      if (refused) return 0
      return inspected ? 1 : 2
    case 'always':
      return refused ? 1 : 0
    case 'only-through':
      if (refused) return 0
      if (!inspected) return 2
      return profile === undefined || profile === fate.profile ? 0 : 1
    default:
      return assertNever(kind)
  }
}
