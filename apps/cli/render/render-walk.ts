/** The walk through the rules at one side, for people: what passed on, watched or would have matched; with `whole`, every rule. What decided is told before. */
import type { ApiExplainResult, ApiWalkStep } from '@hyperward/protocol'

import type { Style } from '../terminal/style.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import type { Text } from '../text.ts'
import { toRuleName } from './to-words.ts'

type Side = Pick<ApiExplainResult['sides'][number], 'walk' | 'profile'>

export function renderWalk({ walk, profile }: Side, text: Text, style: Style, whole: boolean): readonly string[] {
  const through = profile === null ? [] : [text('cli.said.through-profile', { profile: toPrintable(profile) })]
  const shown = whole ? walk : walk.filter(isNotable)
  const left = walk.filter(({ outcome }) => outcome !== 'decides').length - shown.length
  const rest = whole || left === 0 ? [] : [style('dim', text('cli.said.walk-rest', { n: left }))]
  return [...through, ...shown.map((step) => toLine(step, text, style)), ...rest]
}

function isNotable({ outcome, wouldMatch }: ApiWalkStep): boolean {
  return wouldMatch && outcome !== 'decides'
}

function toLine({ rule, action, outcome, wouldMatch }: ApiWalkStep, text: Text, style: Style): string {
  const name = toPrintable(toRuleName(text, rule))
  const unasked = wouldMatch && !asked.has(outcome) ? ` (${text('cli.said.would-match')})` : ''
  const line = `${name} [${text(`cli.verdict.${action}`)}] – ${text(`cli.outcome.${outcome}`)}${unasked}`
  if (outcome === 'decides') return style('bold', line)
  return wouldMatch ? line : style('dim', line)
}

/** Of these it goes without saying that they match. */
const asked: ReadonlySet<ApiWalkStep['outcome']> = new Set(['decides', 'passes', 'monitors'])
