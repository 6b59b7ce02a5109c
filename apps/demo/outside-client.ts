/** One connection attempt from the machine outside, a namespace: the same questions that guests' agents answer, asked by a short Node program. */
import type { ConnectOutcome, NamespaceEndpoint } from '@hyperward/testkit'

import type { Protocol } from './expectations.ts'

const connectProgram = `
const [address, port, timeoutMs] = process.argv.slice(1)
const socket = require('node:net').connect({ host: address, port: Number(port) })
const end = (outcome) => { console.log(outcome); process.exit(0) }
setTimeout(() => end('timeout'), Number(timeoutMs))
socket.on('connect', () => socket.write('hello\\n'))
socket.on('data', () => end('ok'))
socket.on('error', (error) => end({ ECONNREFUSED: 'refused', ECONNRESET: 'reset', EHOSTUNREACH: 'unreachable', EACCES: 'unreachable' }[error.code] ?? error.code))
`

export async function connectFromOutside(
  endpoint: NamespaceEndpoint,
  protocol: Protocol,
  address: string,
  port: number,
  timeoutMs: number,
): Promise<ConnectOutcome> {
  if (protocol === 'ping') return (await endpoint.ping(address, timeoutMs)) ? 'ok' : 'timeout'
  if (protocol === 'udp') throw new Error('the machine outside asks by TCP and ping only')
  const result = await endpoint.exec(process.execPath, ['-e', connectProgram, address, String(port), String(timeoutMs)])
  const outcome = result.stdout.trim()
  if (result.code !== 0 || outcome === '') throw new Error(`the machine outside could not try: ${result.stderr}`)
  return outcome as ConnectOutcome // as: the program prints these words; toFate refuses any other
}
