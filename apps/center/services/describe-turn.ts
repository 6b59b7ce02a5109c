import type { Policy } from '@hyperward/model'

import { toldAtOnce } from './recorder.ts'

/** Which rules hold from now on, and which do not any more. */
export function describeTurn(before: Policy, after: Policy, revision: number): string {
  const refsOf = ({ inactive = [] }: Policy): readonly string[] => inactive.map(({ rule }) => rule.ref)
  const [gone, come] = [refsOf(after), refsOf(before)]
  const list = (what: string, refs: readonly string[]): readonly string[] => {
    if (refs.length === 0) return []
    const more = refs.length - toldAtOnce
    return [`${what}: ${refs.slice(0, toldAtOnce).join(', ')}${more > 0 ? `, and ${more} more` : ''}`]
  }
  const said = [
    ...list(
      'hold from now on',
      come.filter((ref) => !gone.includes(ref)),
    ),
    ...list(
      'hold no more',
      gone.filter((ref) => !come.includes(ref)),
    ),
  ]
  return `by schedule or expiry date, at revision ${revision}, rules ${said.join('; ')}`
}
