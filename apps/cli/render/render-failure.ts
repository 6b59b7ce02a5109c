/** Any failure → what is said on stderr, and how the run ends. With `--json`, one JSON object on stderr; stdout never holds half an answer. */
import { renderMessage, renderTemplate, catalogue, type Locale } from '@hyperward/catalogue'
import { OperationError, type ErrorDetails } from '@hyperward/model'

import type { ExitName } from '../exit-codes.ts'
import { ApiFailure, DocumentFailure, ExpectationFailure, isCliError, toErrorKey } from '../failures.ts'
import type { Output } from '../output.ts'
import { toPrintable } from '../terminal/to-printable.ts'
import { createText } from '../text.ts'
import { UsageError } from '../usage-error.ts'
import { renderDiagnostics } from './render-diagnostics.ts'

interface Told {
  readonly exit: ExitName
  readonly code: string
  /** In the reader's language. */
  readonly message: string
  readonly details: ErrorDetails
  readonly hint?: string
}

export function renderFailure(error: unknown, out: Output, locale: Locale, json: boolean): ExitName {
  if (error instanceof DocumentFailure) return tellDocument(error, out, locale, json)
  const told = toTold(error, locale)
  if (json) {
    out.styledErrorLine(
      JSON.stringify(
        error instanceof ApiFailure ? error.body : { code: told.code, message: told.message, details: told.details },
      ),
    )
    return told.exit
  }
  const label = out.errorStyle('red', `error[${told.code}]`)
  out.styledErrorLine(`hyperward: ${label}: ${toPrintable(told.message)}`)
  if (told.hint !== undefined) out.errorLine(told.hint)
  return told.exit
}

function tellDocument(error: DocumentFailure, out: Output, locale: Locale, json: boolean): ExitName {
  if (json) out.styledErrorLine(JSON.stringify(error.body))
  else {
    renderDiagnostics(locale, error.diagnostics, error.sources, out.errorStyle).forEach(out.styledErrorLine)
    const n = error.diagnostics.filter(({ severity }) => severity === 'error').length
    out.errorLine(renderMessage(locale, 'cli.said.errors', { n }))
  }
  return 'diagnostics'
}

function toTold(error: unknown, locale: Locale): Told {
  if (error instanceof UsageError) {
    const text = createText(locale)
    const hint =
      error.command === null ? text('cli.usage.help-all') : text('cli.usage.help', { command: error.command })
    return { exit: 'usage', code: 'cli.usage', message: error.toText(text), details: {}, hint }
  }
  if (error instanceof ExpectationFailure) {
    return { exit: 'failed', code: 'cli.expectation-failed', message: error.message, details: {} }
  }
  if (error instanceof ApiFailure) {
    return { exit: exitOfAnswer(error), code: error.code, message: toRefusal(error, locale), details: error.details }
  }
  if (error instanceof OperationError) {
    const message = isCliError(error)
      ? renderDetails(locale, catalogue[locale][toErrorKey(error.code)], error.details)
      : error.message
    return { exit: exitOfCode(error.code), code: error.code, message, details: error.details }
  }
  const problem =
    error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 2).join(' ') : String(error)
  return { exit: 'failed', code: 'cli.bug', message: renderMessage(locale, 'cli.error.bug', { problem }), details: {} }
}

/** Who is refused wants to know by which file; else the center's own words. */
function toRefusal({ status, message, details, tokenPath: path }: ApiFailure, locale: Locale): string {
  if (status === 401) return renderMessage(locale, 'cli.error.unauthenticated', { path })
  if (status !== 403) return message
  return renderMessage(locale, 'cli.error.forbidden', { path, action: String(details['action'] ?? message) })
}

function renderDetails(locale: Locale, template: string, details: ErrorDetails): string {
  const params = Object.entries(details).map(([name, value]) => [name, String(value ?? '')] as const)
  return renderTemplate(locale, template, Object.fromEntries(params))
}

/** A 409 is a conflict only where the center says that something changed meanwhile; no draft to publish is an ordinary failure. */
function exitOfAnswer({ status, code }: ApiFailure): ExitName {
  if (status === 401 || status === 403) return 'unauthorized'
  return status === 409 && code.endsWith('-conflict') ? 'conflict' : 'failed'
}

const exitsOfCodes: Readonly<Record<string, ExitName>> = {
  'cli.center-timeout': 'unreachable',
  'cli.center-unreachable': 'unreachable',
  'cli.center-untrusted': 'unreachable',
  'cli.certificate-expired': 'unreachable',
  'cli.ca-unreadable': 'unreachable',
  'cli.fingerprint-mismatch': 'unreachable',
  'cli.no-token': 'unauthorized',
  'cli.records-unreadable': 'diagnostics',
  'cli.token-exposed': 'unauthorized',
  'cli.token-unreadable': 'unauthorized',
}

function exitOfCode(code: string): ExitName {
  return exitsOfCodes[code] ?? 'failed'
}
