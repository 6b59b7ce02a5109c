import { open, rm, type FileHandle } from 'node:fs/promises'

import { OperationError, parseHostName } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'
import { enrolmentTokenSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { cliError } from '../failures.ts'
import { parseWholeNumber } from '../parse-quantities.ts'
import { readAnswer } from '../read-answer.ts'
import { toLocalTime } from '../render/to-words.ts'
import { UsageError } from '../usage-error.ts'

/** The file is made before the token is asked for: a token that could not be kept would be lost, since the center has its hash only. */
export const hostsAdd: Run<'hosts add'> = async ({ values, positionals: [name = ''], context }) => {
  const { out, text, globals } = context
  if (parseHostName(name) === null) throw UsageError.of('cli.usage.bad-name', { value: name }, 'hosts add')
  const minutes = values.minutes === undefined ? undefined : parseWholeNumber('--minutes', values.minutes, 1, 10_080)
  const center = await context.connect()
  const path = values.out
  const file = path === undefined ? null : await createFile(path)
  try {
    const route = 'POST /v1/hosts'
    const answer = await center.ask(route, { body: minutes === undefined ? { name } : { name, minutes } })
    const { host, token, expiresAt } = readAnswer(route, enrolmentTokenSchema, answer)
    if (file === null || path === undefined) {
      if (globals.json) return (out.json(answer), 'ok')
      // the sentence to stderr, so that `> file` and `$(…)` hold the token alone
      out.errorLine(text('cli.said.host-token', { host, until: toLocalTime(expiresAt) }))
      out.raw(`${token}\n`)
      return 'ok'
    }
    await writeToken(file, token).catch((error: unknown) => {
      throw cliError('cli.token-lost', { host, path, reason: errnoCode(error) ?? String(error) }, error)
    })
    if (globals.json) out.json({ host, tokenFile: path, expiresAt })
    else out.line(text('cli.said.host-token-file', { host, path, until: toLocalTime(expiresAt) }))
    return 'ok'
  } catch (error) {
    if (path !== undefined) await rm(path, { force: true })
    throw error
  } finally {
    await file?.close()
  }
}

async function createFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') throw cliError('cli.file-exists', { path }, error)
    const message = `${path} could not be made (${errnoCode(error) ?? String(error)}); the token was not asked for`
    throw new OperationError('os.file-unwritable', message, { path }, error)
  }
}

async function writeToken(file: FileHandle, token: string): Promise<void> {
  await file.writeFile(`${token}\n`)
  await file.sync()
}
