/** The center's process. Arguments: --data DIR [--listen HOST:PORT] [--name NAME]. Secrets come by file or environment, never by argument. */
import { parseArgs } from 'node:util'

import { OperationError } from '@hyperward/model'
import { pino } from 'pino'

import { createCenter } from './create-center.ts'

interface Arguments {
  readonly data: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly name: string
}

function readArguments(argv: readonly string[]): Arguments {
  const usage = 'usage: center --data DIR [--listen HOST:PORT] [--name NAME]'
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { data: { type: 'string' }, listen: { type: 'string' }, name: { type: 'string' } },
    })
    if (values.data === undefined) throw new Error('--data is missing')
    const match = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(values.listen ?? '127.0.0.1:8443')
    const [, host, port] = match ?? []
    if (host === undefined || Number(port) > 65_535) throw new Error('--listen is not HOST:PORT')
    return { data: values.data, listen: { host, port: Number(port) }, name: values.name ?? 'hyperward' }
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new OperationError('center.arguments', `${said}; ${usage}`, {}, cause)
  }
}

/** stdout carries one line, for whoever started us; the log goes to stderr. */
const log = pino({ level: process.env['HYPERWARD_LOG_LEVEL'] ?? 'info', base: { part: 'center' } }, pino.destination(2))

try {
  const given = readArguments(process.argv.slice(2))
  const storeUrl = process.env['HYPERWARD_STORE_URL']
  const center = await createCenter({ ...given, log, ...(storeUrl === undefined ? {} : { storeUrl }) })
  const { url, adminTokenPath, caPath } = center
  process.stdout.write(
    `${JSON.stringify({ ready: true, url, data: given.data, adminToken: adminTokenPath, ca: caPath })}\n`,
  )
  log.info({ url, adminToken: adminTokenPath }, 'listening')
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    center.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
} catch (error) {
  const code = error instanceof OperationError ? error.code : 'api.internal'
  log.fatal({ code, err: error }, error instanceof Error ? error.message : String(error))
  process.exitCode = code === 'center.arguments' ? 2 : 1
}
