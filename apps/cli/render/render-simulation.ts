/** What a simulation found, for people: the numbers, whom it concerns, then the changes, worst first. */
import type { ApiSimulation } from '@hyperward/protocol'

import type { Output } from '../output.ts'
import type { Cell } from '../terminal/render-table.ts'
import type { StyleName } from '../terminal/style.ts'
import type { Text } from '../text.ts'
import { refToRuleName, toServiceName } from './to-words.ts'

type Change = ApiSimulation['changes'][number]
type Fate = { readonly verdict: string; readonly rule: string | null }

/** As the center's API and core/policy give it. */
export type ShownSimulation = Pick<ApiSimulation, 'records' | 'connections' | 'changed' | 'more'> & {
  readonly changes: readonly Change[]
  readonly vms: readonly string[]
  readonly tenants: readonly string[]
}

const styles: Readonly<Record<Change['kind'], StyleName>> = { breaks: 'red', opens: 'yellow', differs: 'cyan' }
const namesShown = 10

export function renderSimulation(simulation: ShownSimulation, out: Output, text: Text): void {
  const { changes, records, connections, changed, vms, tenants, more } = simulation
  out.line(text('cli.said.simulated', { records, connections }))
  if (changes.length === 0) return out.line(text('cli.said.no-change'))
  out.line(text('cli.said.simulated-changes', { ...changed }))
  if (vms.length > 0) {
    const shown = vms.slice(0, namesShown).join(' ')
    const rest = vms.length > namesShown ? text('cli.word.and-more', { n: vms.length - namesShown }) : ''
    out.line(text('cli.said.concerned', { tenants: tenants.length, vms: `${shown} ${rest}`.trim() }))
  }
  out.table(
    [
      { title: text('cli.column.what') },
      { title: text('cli.column.from') },
      { title: text('cli.column.to') },
      { title: text('cli.column.service') },
      { title: text('cli.column.connections'), align: 'right' },
      { title: text('cli.column.before') },
      { title: text('cli.column.after') },
    ],
    changes.map((change): readonly Cell[] => [
      { text: text(`cli.change.${change.kind}`), style: styles[change.kind] },
      change.source.name,
      change.destination.name,
      toServiceName(text, change.protocol, change.port),
      change.connections,
      toFate(change.before, text),
      toFate(change.after, text),
    ]),
  )
  if (more > 0) out.line(text('cli.said.more-changes', { n: more }))
}

const verdicts = ['allow', 'allow-stateless', 'drop', 'reject', 'inspect', 'not-enforced'] as const

function toFate({ verdict, rule }: Fate, text: Text): string {
  if (verdict === 'recorded-passed' || verdict === 'recorded-refused') return text(`cli.verdict.${verdict}`)
  const known = verdicts.find((one) => one === verdict)
  const words = known === undefined ? verdict : text(`cli.verdict.${known}`)
  if (verdict === 'not-enforced') return words
  return `${words} – ${rule === null ? text('cli.word.default-drop') : refToRuleName(text, rule)}`
}
