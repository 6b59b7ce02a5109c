import { simulationSchema, type ApiSimulation } from '@hyperward/protocol'

import type { Call, CommandContext, Run } from '../command.ts'
import { ExpectationFailure, type Sources } from '../failures.ts'
import { parseSince } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { withSources } from '../read-diagnostics.ts'
import { readDocument } from '../read-document.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { renderSimulation, type ShownSimulation } from '../render/render-simulation.ts'
import { UsageError } from '../usage-error.ts'

type Values = Call<'simulate'>['values']
type Simulated = { readonly shown: ShownSimulation; readonly answer: unknown }

export const simulate: Run<'simulate'> = async ({ values, positionals, context }) => {
  const { out, text, globals } = context
  const offline = [values.inventory, values.flows, values.against].some((value) => value !== undefined)
  const { shown, answer } = offline
    ? await simulateFiles(context, positionals, values)
    : await simulateOnline(context, positionals, values)
  if (globals.json) out.json(answer)
  else renderSimulation(shown, out, text)
  if (values['exit-code'] && shown.changes.length > 0) throw new ExpectationFailure(text('cli.said.differs'))
  return 'ok'
}

async function simulateFiles(
  { io }: CommandContext,
  paths: readonly string[],
  { inventory: inventoryPath, flows: flowsPath, against, recorded }: Values,
): Promise<Simulated> {
  if (inventoryPath === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--flows', second: '--inventory' }, 'simulate')
  if (flowsPath === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--inventory', second: '--flows' }, 'simulate')
  if (paths.length === 0) throw UsageError.of('cli.usage.needs', { first: '--flows', second: 'FILE' }, 'simulate')
  if (recorded && against !== undefined)
    throw UsageError.of('cli.usage.together', { first: '--recorded', second: '--against' }, 'simulate')
  const { activeAt, resolve, simulate: replay } = await import('@hyperward/policy')
  const { loadInventory, loadPolicy } = await import('../offline.ts')
  const { readFlowRecords } = await import('../read-records.ts')
  const inventory = loadInventory(await readDocument(inventoryPath, io)).value
  const now = io.now().getTime()
  const read = async (some: readonly string[]) =>
    resolve(activeAt(loadPolicy(await readPolicyDocument(some, io)).value, now), inventory)
  const draft = await read(paths)
  const before = against === undefined ? null : await read([against])
  const result = replay(before, draft, await readFlowRecords(flowsPath, io))
  return { shown: { ...result, more: 0 }, answer: result }
}

async function simulateOnline(
  context: CommandContext,
  paths: readonly string[],
  { since, recorded }: Values,
): Promise<Simulated> {
  const document = paths.length === 0 ? null : await readPolicyDocument(paths, context.io)
  const sources: Sources = document === null ? new Map() : toSources(document)
  const center = await context.connect()
  const route = 'POST /v1/policy/simulate'
  const body = { ...document, recorded, ...toSelection(since, context.io.now()) }
  const answer = await withSources(sources, center.ask(route, { body }))
  const shown: ApiSimulation = readAnswer(route, simulationSchema, answer)
  return { shown, answer }
}

/** Recorded flows are chosen by time, not by id. */
export function toSelection(since: string | undefined, now: Date): { readonly sinceTime?: string } {
  if (since === undefined) return {}
  const parsed = parseSince(since, now)
  if (parsed.kind === 'id') throw UsageError.of('cli.usage.bad-duration', { text: '--since', value: since })
  return { sinceTime: parsed.at }
}
