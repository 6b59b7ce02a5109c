import { hostRealizedSchema, hostsSchema, type ApiHostRealized } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import type { Center } from '../connection/center.ts'
import { ApiFailure, ExpectationFailure } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import type { StyleName } from '../terminal/style.ts'

type Asked =
  | { readonly host: string; readonly realized: ApiHostRealized; readonly answer: unknown }
  | { readonly host: string; readonly realized: null; readonly problem: string }

const styles = { realized: 'green', differs: 'red', closed: 'yellow' } as const satisfies Record<string, StyleName>

/** Ends with 1 when something is not as planned, or a host could not be asked. */
export const verify: Run<'verify'> = async ({ values, context }) => {
  const { out, text, globals } = context
  const center = await context.connect()
  const names = values.host === undefined ? await readHostNames(center) : [values.host]
  const asked: Asked[] = []
  // one after the other: each host reads its tables back
  for (const host of names) asked.push(await askHost(center, host))
  const shown = asked.map((one) =>
    one.realized === null ? one : { ...one, realized: narrow(one.realized, values.vm) },
  )
  if (globals.json) {
    out.json({
      hosts: shown.map((one) => (one.realized === null ? { host: one.host, problem: one.problem } : one.realized)),
    })
  } else tell(context, shown)
  const wrong = shown.filter((one) => one.realized === null || !isAsPlanned(one.realized)).length
  if (wrong === 0) return 'ok'
  throw new ExpectationFailure(text('cli.said.verify-wrong', { n: wrong, total: shown.length }))
}

async function readHostNames(center: Center): Promise<readonly string[]> {
  const route = 'GET /v1/hosts'
  const { hosts } = readAnswer(route, hostsSchema, await center.ask(route))
  // a host that has only a token is none yet
  return hosts.filter(({ enrolledAt }) => enrolledAt !== null).map(({ name }) => name)
}

async function askHost(center: Center, host: string): Promise<Asked> {
  const route = 'GET /v1/hosts/{name}/realized'
  try {
    const answer = await center.ask(route, { params: { name: host } })
    return { host, realized: readAnswer(route, hostRealizedSchema, answer), answer }
  } catch (error) {
    if (!(error instanceof ApiFailure) || !error.code.startsWith('agent.')) throw error
    return { host, realized: null, problem: error.message }
  }
}

function narrow(realized: ApiHostRealized, vm: string | undefined): ApiHostRealized {
  if (vm === undefined) return realized
  const isIt = ({ vmName, endpoint }: ApiHostRealized['endpoints'][number]): boolean =>
    vmName === vm || endpoint.startsWith(`${vm.toLowerCase()}/`)
  return { ...realized, endpoints: realized.endpoints.filter(isIt) }
}

function isBehind({ plan, planned }: ApiHostRealized): boolean {
  return planned !== null && plan?.digest !== planned.digest
}

function isAsPlanned(realized: ApiHostRealized): boolean {
  const isSame = realized.tables.every(({ missing, surplus, different }) => missing + surplus + different === 0)
  return isSame && !isBehind(realized) && realized.endpoints.every(({ state }) => state !== 'differs')
}

function tell({ out, text }: CommandContext, asked: readonly Asked[]): void {
  for (const one of asked) {
    if (one.realized === null) {
      out.styledLine(`${toPrintable(one.host)}: ${out.style('red', toPrintable(one.problem))}`)
      continue
    }
    const { plan, planned, tables, endpoints } = one.realized
    const revision = plan === null ? text('cli.word.none') : String(plan.revision)
    out.line(text('cli.said.verify-host', { host: one.host, revision }))
    if (isBehind(one.realized) && planned !== null)
      out.styledLine(out.style('red', text('cli.said.verify-behind', { revision: planned.revision })))
    for (const { table, rows, missing, surplus, different } of tables) {
      const name = text(`cli.column.${table}`)
      const isSame = missing + surplus + different === 0
      const said = isSame
        ? text('cli.said.verify-table', { table: name, rows })
        : text('cli.said.verify-table-differs', { table: name, rows, missing, surplus, different })
      out.styledLine(isSame ? said : out.style('red', said))
    }
    out.table(
      [
        { title: text('cli.column.vm') },
        { title: text('cli.column.device') },
        { title: text('cli.column.state') },
        { title: text('cli.column.verdicts'), align: 'right' },
        { title: text('cli.column.findings') },
      ],
      endpoints.map(({ vmName, device, state, rows, reason, findings }) => [
        vmName,
        device ?? text('cli.word.none'),
        { text: text(`cli.realized.${state}`), style: styles[state] },
        rows,
        [...(reason === null ? [] : [reason]), ...findings].join('; '),
      ]),
    )
  }
}
