import { recommendationSchema, type ApiRecommendation } from '@hyperward/protocol'

import type { Call, CommandContext, Run } from '../command.ts'
import { parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { readDocument } from '../read-document.ts'
import { UsageError } from '../usage-error.ts'
import { toSelection } from './simulate.ts'

type Values = Call<'recommend'>['values']
type Recommended = { readonly result: Omit<ApiRecommendation, 'flows'>; readonly answer: unknown }

/** The document goes to stdout, and nothing else. */
export const recommend: Run<'recommend'> = async ({ values, context }) => {
  const { out, text, globals } = context
  const offline = values.inventory !== undefined || values.flows !== undefined
  const { result, answer } = offline ? await recommendFiles(context, values) : await recommendOnline(context, values)
  if (globals.json) return (out.json(answer), 'ok')
  out.raw(result.text)
  const { rules, records, connections, refused, elsewhere } = result
  out.errorLine(text('cli.said.recommended', { rules, records, connections }))
  if (refused > 0) out.errorLine(text('cli.said.recommended-refused', { n: refused }))
  if (elsewhere > 0) out.errorLine(text('cli.said.recommended-elsewhere', { n: elsewhere }))
  return 'ok'
}

async function recommendFiles({ io }: CommandContext, values: Values): Promise<Recommended> {
  const { inventory: inventoryPath, flows: flowsPath } = values
  if (inventoryPath === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--flows', second: '--inventory' }, 'recommend')
  if (flowsPath === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--inventory', second: '--flows' }, 'recommend')
  const policy = await import('@hyperward/policy')
  const { loadInventory } = await import('../offline.ts')
  const { readFlowRecords } = await import('../read-records.ts')
  const inventory = loadInventory(await readDocument(inventoryPath, io)).value
  const result = policy.recommend(inventory, await readFlowRecords(flowsPath, io), toOptions(values))
  return { result, answer: result }
}

async function recommendOnline(context: CommandContext, values: Values): Promise<Recommended> {
  const center = await context.connect()
  const route = 'POST /v1/policy/recommend'
  const body = { ...toOptions(values), ...toSelection(values.since, context.io.now()) }
  const answer = await center.ask(route, { body })
  return { result: readAnswer(route, recommendationSchema, answer), answer }
}

function toOptions({ generalize = 'exact', share, refused }: Values) {
  if (share !== undefined && generalize !== 'group')
    throw UsageError.of('cli.usage.needs', { first: '--share', second: '--generalize group' }, 'recommend')
  return {
    generalize,
    includeRefused: refused,
    ...(share === undefined ? {} : { share: parseWholeNumber('--share', share, 1, 100) / 100 }),
  }
}
