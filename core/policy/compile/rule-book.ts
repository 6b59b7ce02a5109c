/**
 * Of one policy index: the rules that concern each combination of sides, and the other way round which combinations a side concerns, so that a change finds
 * what it touches without asking all. Only ever added to: it grows with what was seen under its index, and compilations of one policy share it.
 */
import type { Direction } from '@hyperward/model'

import type { PolicyIndex } from '../resolve/policy-index.ts'
import type { ClassSignature } from '../resolve/resolved-policy.ts'
import { type LocalRules, selectLocalRules } from './local-rules.ts'

export const directions: readonly Direction[] = ['egress', 'ingress']

export interface RuleBook {
  /** Idempotent. */
  readonly add: (signature: ClassSignature) => void
  /** Per direction, in the order of {@link directions}; adds what is not known. */
  readonly rulesOf: (signature: ClassSignature) => readonly LocalRules[]
  /** Those added whose rules have the side as a peer. */
  readonly concernedBy: (side: number) => readonly ClassSignature[]
  /** Those added that the side tells from the world. */
  readonly peersIn: (side: number) => readonly ClassSignature[]
}

export function createRuleBook(index: PolicyIndex): RuleBook {
  const rules = new Map<ClassSignature, readonly LocalRules[]>()
  const concerned: ClassSignature[][] = index.sides.map(() => [])
  const peers: ClassSignature[][] = index.sides.map(() => [])
  const rulesOf = (signature: ClassSignature): readonly LocalRules[] => {
    const known = rules.get(signature)
    if (known !== undefined) return known
    const made = directions.map((direction) => selectLocalRules(index, { signature }, direction))
    rules.set(signature, made)
    for (const side of signature.unlikeWorld) peers[side]?.push(signature)
    for (const side of new Set(made.flatMap(({ peerSides }) => [...peerSides]))) concerned[side]?.push(signature)
    return made
  }
  return {
    add: rulesOf,
    rulesOf,
    concernedBy: (side) => concerned[side] ?? [],
    peersIn: (side) => peers[side] ?? [],
  }
}
