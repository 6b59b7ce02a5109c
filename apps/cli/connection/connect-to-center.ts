import type { GlobalValues } from '../command-table/command-table.ts'
import type { Io } from '../command.ts'
import { cliError } from '../failures.ts'
import { parseDurationMs } from '../parse-quantities.ts'
import { openCenter, type Center } from './center.ts'
import { readToken } from './read-token.ts'
import { parseCenterUrl, readSettings } from './settings.ts'

const defaultTimeoutMs = 30_000

export async function connectToCenter(globals: GlobalValues, io: Io): Promise<Center> {
  const timeoutMs = globals.timeout === undefined ? defaultTimeoutMs : parseDurationMs('--timeout', globals.timeout)
  const settings = await readSettings(globals, io)
  const { center, ca, tokenFile } = settings
  if (center.value === null) throw cliError('cli.no-center', {})
  if (ca.value === null) throw cliError('cli.no-ca', {})
  if (tokenFile.value === null) throw cliError('cli.no-token', {})
  const url = parseCenterUrl(center.value)
  const token = await readToken(tokenFile.value)
  return openCenter({ url, caPath: ca.value, token, tokenPath: tokenFile.value, timeoutMs, signal: io.signal })
}
