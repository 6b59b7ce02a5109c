import type { HostPlan } from '@hyperward/model'
import { planResultSchema } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import type { ExitName } from '../exit-codes.ts'
import { readAnswer } from '../read-answer.ts'
import { toDiagnostics, withSources } from '../read-diagnostics.ts'
import { readDocument } from '../read-document.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { tellWarnings } from '../render/tell-warnings.ts'
import type { Column } from '../terminal/render-table.ts'
import type { Text } from '../text.ts'
import { UsageError } from '../usage-error.ts'

const counts = ['endpoints', 'addresses', 'networks', 'services', 'verdicts', 'rules'] as const
type Counts = Readonly<Record<(typeof counts)[number], number>>

export const plan: Run<'plan'> = async ({ values, positionals: paths, context }) => {
  if (values.inventory !== undefined) {
    if (paths.length === 0) throw UsageError.of('cli.usage.needs', { first: '--inventory', second: 'FILE' }, 'plan')
    return planOffline(context, paths, values.inventory)
  }
  const { out, text, globals, io } = context
  const document = paths.length === 0 ? null : await readPolicyDocument(paths, io)
  const sources = document === null ? new Map<string, string>() : toSources(document)
  const center = await context.connect()
  const route = 'POST /v1/policy/plan'
  const answer = await withSources(sources, center.ask(route, { body: document ?? {} }))
  if (globals.json) return (out.json(answer), 'ok')
  const result = readAnswer(route, planResultSchema, answer)
  tellWarnings(context, toDiagnostics(result.warnings), sources)
  out.table(
    [{ title: text('cli.column.host') }, { title: text('cli.column.changed') }, ...countColumns(text)],
    result.hosts.map((host) => [
      host.host,
      host.changed ? { text: text('cli.word.yes'), style: 'yellow' } : text('cli.word.no'),
      ...counts.map((name) => host[name]),
    ]),
  )
  const changed = result.hosts.filter((host) => host.changed).length
  out.line(text('cli.said.plan', { revision: result.revision, changed, total: result.hosts.length }))
  return 'ok'
}

async function planOffline(
  context: CommandContext,
  policyPaths: readonly string[],
  inventoryPath: string,
): Promise<ExitName> {
  const { out, text, globals, io } = context
  const { compileOffline, loadInventory, loadPolicy } = await import('../offline.ts')
  const policy = loadPolicy(await readPolicyDocument(policyPaths, io))
  const inventory = loadInventory(await readDocument(inventoryPath, io))
  const { compilation, warnings, sources } = compileOffline(policy, inventory)
  const hosts = compilation.plans.map((hostPlan) => ({
    host: hostPlan.host,
    digest: hostPlan.digest,
    ...toCounts(hostPlan),
  }))
  if (globals.json) return (out.json({ hosts, warnings }), 'ok')
  tellWarnings(context, warnings, sources)
  out.table(
    [{ title: text('cli.column.host') }, ...countColumns(text)],
    hosts.map((host) => [host.host, ...counts.map((name) => host[name])]),
  )
  out.line(text('cli.said.plan-offline', { changed: hosts.length, rules: policy.value.rules.length }))
  return 'ok'
}

function toCounts({ sections }: HostPlan): Counts {
  return {
    endpoints: sections.endpoints.length,
    addresses: sections.addresses.length,
    networks: sections.networks.length,
    services: sections.services.length,
    verdicts: sections.verdicts.length,
    rules: sections.rules.length,
  }
}

function countColumns(text: Text): readonly Column[] {
  return counts.map((name) => ({ title: text(`cli.column.${name}`), align: 'right' }))
}
