import { rulesSchema, type ApiRuleHits } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { readAnswer } from '../read-answer.ts'
import { toAge, toRuleName, toSize } from '../render/to-words.ts'

type Order = (left: ApiRuleHits, right: ApiRuleHits) => number

const orders: Readonly<Record<'hits' | 'packets' | 'bytes' | 'last', Order>> = {
  hits: (left, right) => right.hits - left.hits,
  packets: (left, right) => right.packets - left.packets,
  bytes: (left, right) => right.bytes - left.bytes,
  last: (left, right) => (right.lastHitAt ?? '').localeCompare(left.lastHitAt ?? ''),
}

export const rules: Run<'rules'> = async ({ values, context }) => {
  const { out, text, globals, io } = context
  const route = 'GET /v1/rules'
  const answer = await (await context.connect()).ask(route)
  const read = readAnswer(route, rulesSchema, answer)
  const shown = read.rules.filter(
    ({ rule, hits, packets }) =>
      (values.tenant ?? rule.tenant) === rule.tenant && (!values.unused || (hits === 0 && packets === 0)),
  )
  const sorted = values.sort === undefined || values.sort === 'order' ? shown : shown.toSorted(orders[values.sort])
  if (globals.json) return (out.json({ ...read, rules: sorted }), 'ok')
  out.table(
    [
      { title: text('cli.column.rule') },
      { title: text('cli.column.action') },
      { title: text('cli.column.hits'), align: 'right' },
      { title: text('cli.column.packets'), align: 'right' },
      { title: text('cli.column.bytes'), align: 'right' },
      { title: text('cli.column.last-hit') },
    ],
    sorted.map(({ rule, action, hits, packets, bytes, lastHitAt }) => [
      toRuleName(text, rule),
      action === null
        ? text('cli.word.none')
        : { text: text(`cli.verdict.${action}`), style: action === 'allow' ? 'green' : 'red' },
      hits,
      packets,
      toSize(bytes),
      toAge(text, lastHitAt, io.now()),
    ]),
  )
  return 'ok'
}
