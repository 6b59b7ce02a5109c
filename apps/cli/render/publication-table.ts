import type { ApiPublication } from '@hyperward/protocol'

import type { Cell, Column } from '../terminal/render-table.ts'
import type { StyleName } from '../terminal/style.ts'
import type { Text } from '../text.ts'

type State = ApiPublication['hosts'][number]['state']

const styles: Readonly<Record<State, StyleName>> = {
  unchanged: 'dim',
  waiting: 'yellow',
  announced: 'yellow',
  fetched: 'yellow',
  applied: 'green',
  refused: 'red',
  failed: 'red',
  superseded: 'dim',
}

export function publicationTable(
  text: Text,
  { hosts }: ApiPublication,
): { readonly columns: readonly Column[]; readonly rows: readonly (readonly Cell[])[] } {
  const columns: readonly Column[] = [
    { title: text('cli.column.host') },
    { title: text('cli.column.state') },
    { title: text('cli.column.ms'), align: 'right' },
    { title: text('cli.column.agent-ms'), align: 'right' },
    { title: text('cli.column.connected') },
    { title: text('cli.column.reason') },
  ]
  const rows = hosts.map(({ host, state, sincePublishMs, appliedInMs, connected, reason }) => [
    host,
    { text: text(`cli.publish.${state}`), style: styles[state] },
    toMs(text, sincePublishMs),
    toMs(text, appliedInMs),
    connected ? text('cli.word.yes') : ({ text: text('cli.word.no'), style: 'red' } as const),
    reason ?? '',
  ])
  return { columns, rows }
}

function toMs(text: Text, ms: number | null): string {
  return ms === null ? text('cli.word.none') : String(Math.round(ms))
}
