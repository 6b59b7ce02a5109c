import type { z } from 'zod'

import type { Route } from './connection/routes.ts'
import { cliError } from './failures.ts'
import { version } from './version.ts'

/** The center's answer by the schema both sides share. Another form is told, never guessed at. */
export function readAnswer<S extends z.ZodType>(route: Route, schema: S, answer: unknown): z.infer<S> {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const problem = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`
  throw cliError('cli.answer-unknown', { route, version, problem })
}
