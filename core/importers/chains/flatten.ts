/**
 * Chains with jumps, gotos and returns → one list whose first match decides, for one state of connection.
 * A jump takes the called chain's rules in under its own condition; a return puts what follows the call in its place, under the condition of the return.
 * Where a condition is not known exactly (it may or may not hold), the list refuses whatever any of the possible readings refuses: an accept is left
 * out, a refusal taken with all it may concern. So the list never lets through what the chains did not.
 */
import type { SourcePlace } from '@hyperward/model'

import type { Report } from '../report.ts'
import {
  type Chain,
  type ChainRule,
  type Hook,
  intersectMatches,
  type Match,
  matchAll,
  sameMatch,
  type State,
  type Unknown,
} from './chain.ts'

/** Rules looked at over all ways through the chains: bounds time and memory of chains that call each other many times. */
const visitLimit = 200_000
const depthLimit = 100
const nestingLimit = 1000

export interface FlatRule {
  readonly match: Match
  readonly action: 'accept' | 'drop' | 'reject'
  /** False: a refusal that holds for more than the original. */
  readonly exact: boolean
  /** Also when replies are asked. Absent state conditions only. */
  readonly anyState: boolean
  readonly stateless: boolean
  readonly place: SourcePlace
  readonly comment?: string
  /** The chain whose end this is. */
  readonly policyOf?: string
}

export interface FlattenOptions {
  readonly hooks: readonly Hook[]
  /** What is asked at all, e.g. one family. */
  readonly within: Match
  readonly world: Extract<State, 'new' | 'established'>
  /** Every packet is judged by itself: conditions on the state cannot be told apart. */
  readonly stateless: boolean
  /** Null: nothing is told (a look at what replies meet). */
  readonly report: Report | null
}

/** What is left to do when a chain hands back. */
type Continuation = (match: Match) => void

class TooMany extends Error {}

/** Null when the chains cannot be flattened; the report says why. */
export function flattenChains(options: FlattenOptions): readonly FlatRule[] | null {
  const { hooks, world, stateless, report } = options
  const flat: FlatRule[] = []
  let visits = 0
  let depth = 0
  let broken = false

  const tell = (rule: ChainRule, code: 'import.left-out' | 'import.broader' | 'import.closed', why: Unknown): void =>
    report?.add(code, rule.place, { reason: why.reason, detail: why.detail })

  const emit = (rule: ChainRule, match: Match, action: FlatRule['action'], exact: boolean): void => {
    flat.push({
      match,
      action,
      exact,
      anyState: rule.states === undefined,
      stateless: rule.stateless === true,
      place: rule.place,
      ...(rule.comment === undefined ? {} : { comment: rule.comment }),
    })
  }

  /** What the packet's state says of a rule: it cannot match, it matches, or it may. */
  const stateOf = ({ states }: ChainRule): 'never' | 'holds' | Unknown => {
    if (states === undefined) return 'holds'
    if (stateless && !(states.has('new') && states.has('established')))
      return { reason: 'import-state', detail: [...states].join(',') }
    return states.has(world) ? 'holds' : 'never'
  }

  /** True when nothing of `match` is left over at the chain's end. */
  const walk = (
    hook: Hook,
    chain: Chain,
    match: Match,
    doubt: Unknown | null,
    handBack: Continuation,
    accepted: Continuation,
    path: readonly string[],
    start = 0,
  ): boolean => {
    depth += 1
    // continuations of continuations: each is a frame of the stack
    if (depth > nestingLimit) throw new TooMany()
    const closed = walkRules(hook, chain, match, doubt, handBack, accepted, path, start)
    depth -= 1
    return closed
  }

  const walkRules = (
    hook: Hook,
    chain: Chain,
    match: Match,
    doubt: Unknown | null,
    handBack: Continuation,
    accepted: Continuation,
    path: readonly string[],
    start: number,
  ): boolean => {
    for (let index = start; index < chain.rules.length; index += 1) {
      const rule = chain.rules[index]
      visits += 1
      if (visits > visitLimit || rule === undefined) throw new TooMany()
      const met = intersectMatches(match, rule.match)
      const state = stateOf(rule)
      if (met === null || state === 'never') continue
      const why = doubt ?? rule.unknown[0] ?? (state === 'holds' ? null : state)
      const all = why === null && sameMatch(met, match)
      const { target } = rule
      switch (target.kind) {
        case 'none':
          break
        case 'accept':
          if (why !== null) {
            tell(rule, 'import.left-out', why)
            break
          }
          if (accepted === acceptFinal) emit(rule, met, 'accept', true)
          else accepted(met)
          if (all) return true
          break
        case 'drop':
        case 'reject':
          if (why !== null) tell(rule, 'import.broader', why)
          emit(rule, met, target.kind, why === null)
          if (sameMatch(met, match)) return true
          break
        case 'closed':
          tell(rule, 'import.closed', target.why)
          emit(rule, met, 'drop', false)
          if (sameMatch(met, match)) return true
          break
        case 'return':
          // in a chain that may not have been entered, going on refuses more than going back
          if (doubt !== null) break
          if (why !== null) {
            tell(rule, 'import.closed', why)
            emit(rule, met, 'drop', false)
          } else handBack(met)
          if (sameMatch(met, match)) return true
          break
        case 'jump':
        case 'goto': {
          const called = hook.chains.get(target.chain)
          if (called === undefined) {
            const unknown: Unknown = { reason: 'import-unknown-chain', detail: target.chain }
            tell(rule, 'import.closed', unknown)
            emit(rule, met, 'drop', false)
            break
          }
          if (path.includes(target.chain) || path.length > depthLimit) {
            report?.add('import.chain-loop', rule.place, { chain: target.chain })
            broken = true
            return true
          }
          const rest = (part: Match): void => {
            if (target.kind === 'goto') handBack(part)
            else if (!walk(hook, chain, part, doubt, handBack, accepted, path, index + 1)) handBack(part)
          }
          const deeper = [...path, target.chain]
          if (target.kind === 'goto' && why !== null) {
            tell(rule, 'import.closed', why)
            emit(rule, met, 'drop', false)
            if (sameMatch(met, match)) return true
            break
          }
          const closed = walk(hook, called, met, why, rest, accepted, deeper)
          if (target.kind === 'goto' && !closed) handBack(met)
          if (sameMatch(met, match) && (closed || (target.kind === 'goto' && all))) return true
          break
        }
        default:
          target satisfies never
      }
    }
    return false
  }

  const acceptFinal: Continuation = () => {}

  const enter = (number: number, match: Match): void => {
    const hook = hooks[number]
    if (hook === undefined) return
    const chain = hook.chains.get(hook.chain)
    const next = hooks.slice(number + 1).some((one) => one.chains.has(one.chain) && !(one.newOnly && world !== 'new'))
    const accepted: Continuation = next ? (part) => enter(number + 1, part) : acceptFinal
    if (chain === undefined || (hook.newOnly === true && world !== 'new')) {
      enter(number + 1, match)
      return
    }
    const end = (part: Match): void => {
      // a policy that is not told may be either
      const action = chain.policy ?? 'drop'
      if (action === 'accept' && next) {
        enter(number + 1, part)
        return
      }
      const rule: ChainRule = { match: part, unknown: [], target: { kind: action }, place: chain.place }
      emit(rule, part, action, true)
      const last = flat.at(-1)
      if (last !== undefined) flat[flat.length - 1] = { ...last, policyOf: hook.chain }
    }
    if (!walk(hook, chain, match, null, end, accepted, [hook.chain])) end(match)
  }

  try {
    const start = intersectMatches(matchAll, options.within)
    if (start !== null) enter(0, start)
  } catch (error) {
    if (!(error instanceof TooMany)) throw error
    report?.add('import.too-many', hooks[0]?.chains.get(hooks[0].chain)?.place, { limit: visitLimit })
    return null
  }
  return broken ? null : flat
}
