/** A center as in production, on a free port, over a database of its own; with a client that speaks its REST interface. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { enrollHost, toCenterTlsOptions, type Enrolled } from '@hyperward/pki'

import { createCenter, type Center, type CenterOptions } from '../create-center.ts'

export interface Answer {
  readonly status: number
  // a test states what it expects of the body; a wrong shape fails there
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export interface TestCenter {
  readonly center: Center
  readonly url: string
  readonly data: string
  readonly token: string
  readonly caPem: string
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  enroll(host: string): Promise<Enrolled>
  /** Stops it; data and database stay, for another start. */
  stop(): Promise<void>
  remove(): Promise<void>
}

export async function startTestCenter(
  options: Partial<CenterOptions> & { readonly storeUrl: string },
): Promise<TestCenter> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'hwc-center-')))
  const center = await createCenter({ listen: { host: '127.0.0.1', port: 0 }, ...options, data })
  const token = (await readFile(center.adminTokenPath, 'utf8')).trim()
  const caPem = await readFile(center.caPath, 'utf8')
  const call: TestCenter['call'] = (method, path, body, headers) =>
    callCenter(center.url, caPem, method, path, body, { authorization: `Bearer ${token}`, ...headers })
  return {
    center,
    url: center.url,
    data,
    token,
    caPem,
    call,
    async enroll(host) {
      const made = await call('POST', '/v1/hosts', { name: host })
      return enrollHost(center.url, made.body.token)
    },
    stop: () => center.close(),
    async remove() {
      await center.close()
      await rm(data, { recursive: true, force: true })
    },
  }
}

/** A text body goes as YAML, anything else as JSON. */
export async function callCenter(
  url: string,
  caPem: string,
  method: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? 'text/yaml' : 'application/json'
  return new Promise((resolve, reject) => {
    const call = request(
      new URL(path, url),
      {
        method,
        ...toCenterTlsOptions(caPem),
        agent: false,
        headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const said = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, body: said === '' ? null : JSON.parse(said) })
        })
      },
    )
    call.on('error', reject)
    call.end(text)
  })
}
