import type { ApiProveResult } from '@hyperward/protocol'

import type { Style } from '../terminal/style.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import type { Text } from '../text.ts'
import { toRuleName, toServiceName } from './to-words.ts'

type Guarantee = ApiProveResult['guarantees'][number]
type Party = NonNullable<Guarantee['counterexample']>['explanation']['source']

/** One line for a guarantee that holds; for one that does not, the packet that breaks it and who lets it. */
export function renderGuarantee(result: Guarantee, text: Text, style: Style): readonly string[] {
  const { name, kind, holds, vacuous, counterexample, brokenPairs, countIsBound } = result
  const state = holds
    ? style('green', text('cli.said.guarantee-holds'))
    : style('red', text('cli.said.guarantee-broken'))
  const head = `${state}  ${toPrintable(toGuaranteeName(name))} (${kind})`
  if (vacuous) return [`${head} – ${style('yellow', text('cli.said.guarantee-vacuous'))}`]
  if (counterexample === null) return [head]
  const { packet, explanation } = counterexample
  const service = toServiceName(text, packet.protocol, packet.port)
  const flow = `${toPartyName(explanation.source)} → ${toPartyName(explanation.destination)} ${service}`
  const pairs = countIsBound
    ? text('cli.said.guarantee-pairs-at-least', { n: brokenPairs })
    : text('cli.said.guarantee-pairs', { n: brokenPairs })
  return [
    `${head} – ${pairs}`,
    `  ${toPrintable(flow)}: ${style('bold', text(`cli.verdict.${explanation.action}`))}`,
    ...explanation.sides.map(
      ({ direction, decided }) =>
        `    ${text(`cli.direction.${direction}`)}: ${text(`cli.verdict.${decided.action}`)} – ${toPrintable(toRuleName(text, decided.rule))}`,
    ),
  ]
}

/** `tenant/name`, or `/name` for the provider's, as rules are named. */
export function toGuaranteeName(name: string): string {
  return (name.startsWith('/') ? `provider${name}` : name).replace('/', ' / ')
}

function toPartyName({ address, vmName, tenant }: Party): string {
  return vmName === null ? address : `${tenant === null ? '' : `${tenant}/`}${vmName} (${address})`
}
