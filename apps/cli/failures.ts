/** The ways a command can fail, besides a wrong command line (usage-error.ts). What each prints and how the run ends is in render/render-failure.ts. */
import { renderMessage, type MessageParams } from '@hyperward/catalogue'
import { OperationError, type Diagnostic, type ErrorDetails, type OperationErrorCode } from '@hyperward/model'

/** Codes of the CLI's own that the catalogue has a sentence for: `cli.x` is told by `cli.error.x`. */
export type CliErrorCode = Exclude<Extract<OperationErrorCode, `cli.${string}`>, 'cli.usage' | 'cli.expectation-failed'>
type ErrorKey<C extends CliErrorCode> = C extends `cli.${infer Tail}` ? `cli.error.${Tail}` : never

export function toErrorKey<C extends CliErrorCode>(code: C): ErrorKey<C> {
  return `cli.error.${code.slice('cli.'.length)}` as ErrorKey<C> // as: string manipulation the type system cannot follow
}

export function cliError<C extends CliErrorCode>(
  code: C,
  params: MessageParams<ErrorKey<C>>,
  cause?: unknown,
): OperationError {
  const details: ErrorDetails = params
  return new OperationError(code, renderMessage('en', toErrorKey(code), params), details, cause)
}

/** The center said no. `body` is its answer, as it was given. */
export class ApiFailure extends Error {
  readonly status: number
  readonly code: string
  readonly details: ErrorDetails
  readonly body: unknown
  /** Name of the file whose token was sent; where the center refused, that is what to look at. */
  readonly tokenPath: string

  constructor(status: number, code: string, message: string, details: ErrorDetails, body: unknown, tokenPath: string) {
    super(message)
    this.name = 'ApiFailure'
    this.status = status
    this.code = code
    this.details = details
    this.tokenPath = tokenPath
    this.body = body
  }
}

/** Documents by the name diagnostics have for them, so that the line concerned can be shown. */
export type Sources = ReadonlyMap<string, string>

/** A document was wrong. `body` is what `--json` prints. */
export class DocumentFailure extends Error {
  readonly diagnostics: readonly Diagnostic[]
  readonly sources: Sources
  readonly body: unknown

  constructor(diagnostics: readonly Diagnostic[], sources: Sources, body: unknown) {
    super('the document is wrong')
    this.name = 'DocumentFailure'
    this.diagnostics = diagnostics
    this.sources = sources
    this.body = body
  }
}

/** What was expected by the command line does not hold; the answer itself was printed already. */
export class ExpectationFailure extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ExpectationFailure'
  }
}

export function isCliError(error: OperationError): error is OperationError & { readonly code: CliErrorCode } {
  return error.code.startsWith('cli.') && error.code !== 'cli.usage' && error.code !== 'cli.expectation-failed'
}
