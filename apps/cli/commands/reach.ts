import { parseAddress, parseEndpointId, type Address } from '@hyperward/model'
import { reachResultSchema, type ApiEndpoint, type ApiReachResult } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import type { Sources } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'
import { withSources } from '../read-diagnostics.ts'
import { readDocument } from '../read-document.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { toPartyWords } from '../render/party-words.ts'
import { refToRuleName } from '../render/to-words.ts'
import type { Cell } from '../terminal/render-table.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import { UsageError } from '../usage-error.ts'

interface Reached {
  readonly result: Pick<ApiReachResult, 'addresses' | 'incoming' | 'outgoing'>
  /** What `--json` prints. */
  readonly answer: unknown
}

export const reach: Run<'reach'> = async ({ values, positionals: [subject = '', ...paths], context }) => {
  const { out, text, globals } = context
  const { result, answer } =
    values.inventory === undefined
      ? await reachOnline(context, subject, paths, values.draft)
      : await reachFiles(context, subject, paths, values.inventory, values.draft)
  if (globals.json) return (out.json(answer), 'ok')
  const name = `${subject} (${result.addresses.join(' ')})`
  const whom = toPrintable(parseAddress(subject) === null ? name : subject)
  out.styledLine(out.style('bold', text('cli.said.reach-incoming', { whom })))
  tellEntries(context, result.incoming)
  out.line('')
  out.styledLine(out.style('bold', text('cli.said.reach-outgoing', { whom })))
  tellEntries(context, result.outgoing)
  return 'ok'
}

async function reachFiles(
  { io }: CommandContext,
  subject: string,
  paths: readonly string[],
  inventoryPath: string,
  draft: boolean,
): Promise<Reached> {
  if (paths.length === 0) throw UsageError.of('cli.usage.needs', { first: '--inventory', second: 'FILE' }, 'reach')
  if (draft) throw UsageError.of('cli.usage.together', { first: '--draft', second: '--inventory' }, 'reach')
  const { activeAt, reachOf, resolve, tellReach } = await import('@hyperward/policy')
  const { loadInventory, loadPolicy } = await import('../offline.ts')
  const policy = loadPolicy(await readPolicyDocument(paths, io))
  const inventory = loadInventory(await readDocument(inventoryPath, io)).value
  const resolved = resolve(activeAt(policy.value, io.now().getTime()), inventory)
  const endpoints = inventory.vms.flatMap(({ uuid, name, endpoints: own }) =>
    own.map(({ id, addresses }) => ({ id, vm: { uuid, name }, addresses: [...addresses] })),
  )
  const addresses = toAddresses(endpoints, subject)
  const { incoming, outgoing } = reachOf(resolved, addresses)
  const tell = (entries: typeof incoming) => entries.map((entry) => tellReach(entry, Number.POSITIVE_INFINITY))
  const result = { addresses: [...addresses], incoming: tell(incoming), outgoing: tell(outgoing) }
  return { result, answer: { ...result, warnings: [] } }
}

async function reachOnline(
  context: CommandContext,
  subject: string,
  paths: readonly string[],
  draft: boolean,
): Promise<Reached> {
  const document = paths.length === 0 ? null : await readPolicyDocument(paths, context.io)
  const sources: Sources = document === null ? new Map() : toSources(document)
  const center = await context.connect()
  const asked =
    parseAddress(subject) === null ? { vm: findVm(await readEndpoints(center), subject) } : { address: subject }
  const policy = document === null && !draft ? 'published' : 'draft'
  const route = 'POST /v1/policy/reach'
  const answer = await withSources(sources, center.ask(route, { body: { ...document, ...asked, policy } }))
  return { result: readAnswer(route, reachResultSchema, answer), answer }
}

/** An address is anybody's; else one endpoint by its id, or all of a VM. */
function toAddresses(
  endpoints: readonly Pick<ApiEndpoint, 'id' | 'vm' | 'addresses'>[],
  subject: string,
): readonly Address[] {
  const address = parseAddress(subject)
  if (address !== null) return [address]
  const id = parseEndpointId(subject)
  const uuid = id === null ? findVm(endpoints, subject) : null
  return endpoints
    .filter((endpoint) => (uuid === null ? endpoint.id === id : endpoint.vm.uuid === uuid))
    .flatMap(({ addresses }) => addresses.flatMap((text) => parseAddress(text) ?? []))
}

function tellEntries({ out, text }: CommandContext, entries: ApiReachResult['incoming']): void {
  if (entries.length === 0) return out.line(text('cli.said.reach-nobody'))
  const rule = (ref: string | null): string => (ref === null ? text('cli.word.none') : refToRuleName(text, ref))
  out.table(
    [
      { title: text('cli.column.peer') },
      { title: text('cli.column.service') },
      { title: text('cli.column.verdict') },
      { title: text('cli.column.egress-rule') },
      { title: text('cli.column.ingress-rule') },
    ],
    entries.map(({ peers, anyBut, services, verdict, egress, ingress }): readonly Cell[] => [
      toPartyWords(text, { ...peers, anyBut }),
      services.join(', '),
      text(`cli.verdict.${verdict}`),
      rule(egress),
      rule(ingress),
    ]),
  )
}
