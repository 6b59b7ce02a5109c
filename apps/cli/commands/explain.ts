import { parseAddress, type Address } from '@hyperward/model'
import { explainResultSchema, type ApiEndpoint, type ApiExplainResult } from '@hyperward/protocol'

import type { Call, CommandContext, Run } from '../command.ts'
import type { Center } from '../connection/center.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import { cliError, ExpectationFailure } from '../failures.ts'
import { parseServiceArgument, type ServiceArgument } from '../parse-service-argument.ts'
import { readAnswer } from '../read-answer.ts'
import { renderWalk } from '../render/render-walk.ts'
import { toRuleName, toServiceName } from '../render/to-words.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import { UsageError } from '../usage-error.ts'

type Action = ApiExplainResult['action']
type Explained = { readonly answer: unknown; readonly result: ApiExplainResult }

/** Every pair of addresses of one family: a VM with two addresses may be treated in two ways, and the reader must see both. */
export const explain: Run<'explain'> = async ({ values, positionals: [from = '', to = '', service = ''], context }) => {
  const { out, globals } = context
  const asked = parseServiceArgument(service)
  const explained =
    values.policy === undefined && values.inventory === undefined
      ? await explainOnline(context, values.draft, from, to, asked)
      : await explainOffline(context, values, from, to, asked)
  const [first] = explained
  if (globals.json) out.json(explained.length === 1 ? first?.answer : explained.map(({ answer }) => answer))
  else tell(context, explained, asked, { file: values.policy ?? null, whole: values.walk })
  const { expect } = values
  const wrong = expect === undefined ? undefined : explained.find(({ result }) => result.action !== expect)
  if (wrong === undefined || expect === undefined) return 'ok'
  const { text } = context
  const params = { expected: text(`cli.verdict.${expect}`), action: text(`cli.verdict.${wrong.result.action}`) }
  throw new ExpectationFailure(text('cli.said.expectation-failed', params))
}

async function explainOnline(
  context: CommandContext,
  draft: boolean,
  from: string,
  to: string,
  service: ServiceArgument,
): Promise<readonly Explained[]> {
  const center = await context.connect()
  const named = parseAddress(from) === null || parseAddress(to) === null
  const endpoints = named ? await readEndpoints(center) : []
  const pairs = pairAddresses(from, toAddresses(endpoints, from), to, toAddresses(endpoints, to), service)
  const policy = draft ? 'draft' : 'published'
  return Promise.all(pairs.map(([source, destination]) => ask(center, { source, destination, ...service, policy })))
}

async function ask(center: Center, body: object): Promise<Explained> {
  const route = 'POST /v1/policy/explain'
  const answer = await center.ask(route, { body })
  return { answer, result: readAnswer(route, explainResultSchema, answer) }
}

async function explainOffline(
  { io }: CommandContext,
  values: Call<'explain'>['values'],
  from: string,
  to: string,
  service: ServiceArgument,
): Promise<readonly Explained[]> {
  if (values.draft) throw UsageError.of('cli.usage.together', { first: '--draft', second: '--policy' }, 'explain')
  if (values.policy === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--inventory', second: '--policy' }, 'explain')
  if (values.inventory === undefined)
    throw UsageError.of('cli.usage.needs', { first: '--policy', second: '--inventory' }, 'explain')
  const { explainFiles } = await import('../explain-files.ts')
  const { endpoints, explainPair } = await explainFiles(values.policy, values.inventory, io)
  const pairs = pairAddresses(from, toAddresses(endpoints, from), to, toAddresses(endpoints, to), service)
  return pairs.map(([source, destination]) => {
    const result = explainPair({ source, destination, ...service })
    return { answer: result, result }
  })
}

function toAddresses(endpoints: readonly Pick<ApiEndpoint, 'vm' | 'addresses'>[], text: string): readonly Address[] {
  const address = parseAddress(text)
  if (address !== null) return [address]
  const uuid = findVm(endpoints, text)
  return endpoints
    .filter(({ vm }) => vm.uuid === uuid)
    .flatMap(({ addresses }) => addresses.flatMap((entry) => parseAddress(entry) ?? []))
}

type Pair = readonly [Address, Address]

function pairAddresses(
  from: string,
  sources: readonly Address[],
  to: string,
  destinations: readonly Address[],
  { protocol }: ServiceArgument,
): readonly Pair[] {
  const isV6 = (address: Address): boolean => address.includes(':')
  // ICMP has its own number in each family, so the number says which family is meant
  const allowed = (address: Address): boolean => (protocol === 1 ? !isV6(address) : protocol !== 58 || isV6(address))
  const pairs = sources.flatMap((source) =>
    destinations
      .filter((destination) => isV6(source) === isV6(destination) && allowed(source))
      .map((destination): Pair => [source, destination]),
  )
  if (pairs.length === 0) throw cliError('cli.no-common-family', { source: from, destination: to })
  return pairs
}

function tell(
  context: CommandContext,
  explained: readonly Explained[],
  service: ServiceArgument,
  { file, whole }: { readonly file: string | null; readonly whole: boolean },
): void {
  const { out, text } = context
  const [first] = explained
  if (first === undefined) return
  const { policy, revision } = first.result
  if (file !== null) out.line(text('cli.said.explain-file', { file }))
  else out.line(policy === 'draft' ? text('cli.said.explain-draft') : text('cli.said.explain-of', { revision }))
  for (const { result } of explained) {
    const verdict = out.style(styleOf(result.action), text(`cli.verdict.${result.action}`))
    const flow = `${toParty(result.source)} → ${toParty(result.destination)} ${toServiceName(text, service.protocol, service.port ?? null)}`
    out.styledLine(`${out.style('bold', toPrintable(flow))}: ${verdict}`)
    if (result.sides.length === 0) out.line(`  ${text('cli.said.no-side')}`)
    for (const side of result.sides) {
      const { direction, decided } = side
      const action = out.style(styleOf(decided.action), text(`cli.verdict.${decided.action}`))
      out.styledLine(
        `  ${text(`cli.direction.${direction}`)}: ${action} – ${toPrintable(toRuleName(text, decided.rule))}`,
      )
      renderWalk(side, text, out.style, whole).forEach((line) => out.styledLine(`    ${line}`))
    }
  }
}

function styleOf(action: Action): 'green' | 'red' {
  return action === 'drop' || action === 'reject' ? 'red' : 'green'
}

function toParty({ address, vmName, tenant }: ApiExplainResult['source']): string {
  return vmName === null ? address : `${tenant === null ? '' : `${tenant}/`}${vmName} (${address})`
}
