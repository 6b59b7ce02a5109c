import { defaultDropRef } from '@hyperward/model'
import type { DiffEntry, PolicyDiff } from '@hyperward/policy'

import type { CommandContext } from '../command.ts'
import type { Cell } from '../terminal/render-table.ts'
import type { StyleName } from '../terminal/style.ts'
import type { Text } from '../text.ts'
import { toPartyWords } from './party-words.ts'
import { refToRuleName } from './to-words.ts'

const styles: Readonly<Record<DiffEntry['severity'], StyleName>> = {
  opened: 'red',
  uninspected: 'red',
  'opened-inspected': 'yellow',
  'other-profile': 'yellow',
  'other-state': 'yellow',
  inspected: 'green',
  closed: 'green',
  'other-refusal': 'cyan',
  'other-endpoints': 'cyan',
}

/** Worst first, with the groups that are wholly meant. */
export function tellDifference({ out, text }: CommandContext, { entries, total, unchecked }: PolicyDiff): void {
  if (total === 0 && unchecked === 0) return out.line(text('cli.said.no-change'))
  out.styledLine(out.style('bold', text('cli.said.changes', { n: total })))
  out.table(
    [
      { title: text('cli.column.change') },
      { title: text('cli.column.from') },
      { title: text('cli.column.to') },
      { title: text('cli.column.service') },
      { title: text('cli.column.before') },
      { title: text('cli.column.after') },
    ],
    entries.map(({ severity, from, to, services, before, after }): readonly Cell[] => [
      { text: text(`cli.severity.${severity}`), style: styles[severity] },
      toPartyWords(text, from),
      toPartyWords(text, to),
      services.texts.join(', '),
      toDecided(text, before),
      toDecided(text, after),
    ]),
  )
  if (total > entries.length) out.line(text('cli.said.more-changes', { n: total - entries.length }))
  if (unchecked > 0) out.line(text('cli.said.unchecked-pairs', { n: unchecked }))
}

function toDecided(text: Text, { action, profile, rule }: DiffEntry['before']): string {
  const verdict = `${text(`cli.verdict.${action}`)}${profile === null ? '' : ` (${profile.replace(/^\//, 'provider/')})`}`
  if (action === 'not-enforced') return verdict
  return `${verdict} – ${refToRuleName(text, rule ?? defaultDropRef)}`
}
