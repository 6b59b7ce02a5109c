/** One center over HTTPS: TLS 1.3, trust in one CA file only. The token is in a header of requests made after the center was known, and nowhere else. */
import { Agent, request } from 'node:https'
import { readFile } from 'node:fs/promises'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { X509Certificate } from 'node:crypto'

import { ApiFailure, cliError } from '../failures.ts'
import { checkCenterIdentity } from './check-center-identity.ts'
import { toApiFailure } from './to-api-failure.ts'
import { toConnectionError } from './to-connection-error.ts'
import { version } from '../version.ts'
import { toTarget, type PathParams, type Route } from './routes.ts'

export interface CenterOptions {
  readonly url: URL
  readonly caPath: string
  readonly token: string
  readonly tokenPath: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface RequestParts<R extends Route> {
  readonly params?: PathParams<R>
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
}

export interface Center {
  readonly url: URL
  /** The answer's JSON (null for 204), of any 2xx; else ApiFailure or an OperationError of `cli.*`. */
  ask<R extends Route>(route: R, parts?: RequestParts<R>): Promise<unknown>
  /** Lines of an NDJSON answer until the center ends it or `ends` is aborted. `quietMs`: longest silence that is not a broken connection. */
  lines<R extends Route>(route: R, parts: RequestParts<R>, quietMs: number, ends: AbortSignal): AsyncIterable<string>
  close(): void
}

/** Longest answer that is read, bytes. */
const maxAnswerBytes = 256 * 1024 * 1024

export async function openCenter(options: CenterOptions): Promise<Center> {
  const ca = await readCa(options.caPath)
  const agent = new Agent({
    keepAlive: true,
    ca,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    checkServerIdentity: checkCenterIdentity,
  })
  const send = async (
    route: Route,
    parts: RequestParts<Route>,
    timeoutMs: number,
    signal = options.signal,
  ): Promise<Sent> => {
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body)
    return sendRequest({ ...options, timeoutMs, signal }, agent, route, parts, body)
  }
  return {
    url: options.url,
    ask: async (route, parts = {}) => {
      const sent = await send(route, parts, options.timeoutMs)
      const text = await guard(options, route, readBody(sent.answer))
      const status = sent.answer.statusCode ?? 0
      if (status >= 200 && status < 300) return text === '' ? null : parseJson(route, text)
      throw toApiFailure(status, text, options.tokenPath)
    },
    async *lines(route, parts, quietMs, ends) {
      const { answer, call } = await send(route, parts, options.timeoutMs, ends)
      const status = answer.statusCode ?? 0
      if (status !== 200) throw toApiFailure(status, await guard(options, route, readBody(answer)), options.tokenPath)
      call.setTimeout(quietMs)
      try {
        yield* splitLines(answer)
      } catch (error) {
        if (error instanceof ApiFailure) throw error
        throw toConnectionError(error, { ...options, route })
      } finally {
        call.destroy()
      }
    },
    close: () => agent.destroy(),
  }
}

interface Sent {
  readonly answer: IncomingMessage
  readonly call: ClientRequest
}

async function sendRequest(
  options: CenterOptions,
  agent: Agent,
  route: Route,
  parts: RequestParts<Route>,
  body: string | undefined,
): Promise<Sent> {
  const { method, path } = toTarget(route, parts.params ?? {})
  const url = new URL(path, options.url)
  for (const [name, value] of Object.entries(parts.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  const headers = {
    accept: 'application/json',
    authorization: `Bearer ${options.token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  }
  return guard(
    options,
    route,
    new Promise<Sent>((resolve, reject) => {
      const call = request(
        url,
        { method, agent, headers, timeout: options.timeoutMs, signal: options.signal },
        (answer) => resolve({ answer, call }),
      )
      // `timeout` only tells of a silent socket: end it, and say so
      call.on('timeout', () => call.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT_ANSWER' })))
      call.on('error', reject)
      call.end(body)
    }),
  )
}

async function guard<T>(options: CenterOptions, route: Route, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw toConnectionError(error, { ...options, route })
  }
}

async function readCa(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8')
    // refuses what is no certificate here, with the file's name; TLS would only tell of a broken handshake
    return new X509Certificate(pem).toString() === '' ? '' : pem
  } catch (error) {
    throw cliError('cli.ca-unreadable', { path, reason: error instanceof Error ? error.message : String(error) }, error)
  }
}

async function readBody(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    const bytes = chunk as Buffer // as: no encoding is set, so chunks are buffers
    size += bytes.length
    if (size > maxAnswerBytes) throw new Error(`answer longer than ${maxAnswerBytes} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(route: Route, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw cliError('cli.answer-unknown', { route, version, problem: 'JSON' }, error)
  }
}

async function* splitLines(answer: IncomingMessage): AsyncIterable<string> {
  answer.setEncoding('utf8')
  let rest = ''
  for await (const chunk of answer) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
  }
}
