import { setTimeout as sleep } from 'node:timers/promises'

import { parseDigest } from '@hyperward/model'
import { publicationSchema, publishResultSchema, type ApiPublication } from '@hyperward/protocol'

import type { Call, CommandContext, Run } from '../command.ts'
import type { Center } from '../connection/center.ts'
import type { ExitName } from '../exit-codes.ts'
import { parseDurationMs, parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { toDiagnostics, withSources } from '../read-diagnostics.ts'
import { publicationTable } from '../render/publication-table.ts'
import { tellWarnings } from '../render/tell-warnings.ts'
import { UsageError } from '../usage-error.ts'

const defaultWaitMs = 10_000
/** Asked often at first: a plan is in force within tens of milliseconds on a quiet fleet. */
const firstPauseMs = 20
const longestPauseMs = 250

export const publish: Run<'publish'> = async ({ values, context }) => {
  const waitMs = values.wait === undefined ? defaultWaitMs : parseDurationMs('--wait', values.wait)
  const body = toBody(values)
  const center = await context.connect()
  const route = 'POST /v1/policy/publish'
  const answer = await withSources(new Map(), center.ask(route, { body }))
  const result = readAnswer(route, publishResultSchema, answer)
  const { out, text, globals } = context
  if (!globals.json) {
    tellWarnings(context, toDiagnostics(result.warnings), new Map())
    const { revision } = result
    out.line(text(result.changed ? 'cli.said.published' : 'cli.said.publish-unchanged', { revision }))
  }
  if (waitMs === 0) {
    if (globals.json) out.json(answer)
    else out.line(text('cli.said.not-waited', { revision: result.revision }))
    return 'ok'
  }
  return confirm(center, context, result.revision, waitMs)
}

async function confirm(center: Center, context: CommandContext, revision: number, waitMs: number): Promise<ExitName> {
  const { out, text, globals, io } = context
  const route = 'GET /v1/policy/publications/{revision}'
  const startedAt = performance.now()
  let pauseMs = firstPauseMs
  for (;;) {
    const answer = await center.ask(route, { params: { revision } })
    const publication = readAnswer(route, publicationSchema, answer)
    const ms = Math.round(performance.now() - startedAt)
    const over = ms >= waitMs || publication.hosts.some(({ state }) => state === 'refused' || state === 'failed')
    if (publication.inForce || over) {
      if (globals.json) out.json(answer)
      else tell(context, publication, ms)
      if (!publication.inForce && !globals.json) out.errorLine(toUnconfirmed(text, publication, ms))
      return publication.inForce ? 'ok' : 'unconfirmed'
    }
    await sleep(Math.min(pauseMs, waitMs - ms), undefined, { signal: io.signal })
    pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)
  }
}

function tell(context: CommandContext, publication: ApiPublication, waitedMs: number): void {
  const { out, text } = context
  const { columns, rows } = publicationTable(text, publication)
  out.table(columns, rows)
  if (!publication.inForce) return
  const total = publication.hosts.length
  // the center's own measure, from publishing to the last host; ours has the pauses in it
  const slowest = Math.max(0, ...publication.hosts.map(({ sincePublishMs }) => sincePublishMs ?? 0))
  const ms = slowest > 0 ? Math.round(slowest) : waitedMs
  out.line(text('cli.said.in-force', { revision: publication.revision, n: total, total, ms }))
}

function toUnconfirmed(text: CommandContext['text'], publication: ApiPublication, ms: number): string {
  const waiting = publication.hosts.filter(
    ({ state }) => state !== 'applied' && state !== 'unchanged' && state !== 'superseded',
  )
  const n = waiting.length === 0 ? publication.hosts.length : waiting.length
  return text('cli.said.not-in-force', { revision: publication.revision, n, total: publication.hosts.length, ms })
}

function toBody(values: Call<'publish'>['values']): {
  readonly expectedRevision?: number
  readonly expectedDraft?: string
} {
  const revision = values['expect-revision']
  const digest = values['expect-draft']
  if (digest !== undefined && parseDigest(digest) === null) {
    throw UsageError.of('cli.usage.bad-fingerprint', { value: digest }, 'publish')
  }
  return {
    ...(revision === undefined
      ? {}
      : { expectedRevision: parseWholeNumber('--expect-revision', revision, 0, Number.MAX_SAFE_INTEGER) }),
    ...(digest === undefined ? {} : { expectedDraft: digest }),
  }
}
