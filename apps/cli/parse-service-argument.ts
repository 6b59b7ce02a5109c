import { nearest } from '@hyperward/catalogue'
import { icmpTypeNames, portProtocols, typeProtocols, type PortProtocol, type TypeProtocol } from '@hyperward/model'

import { UsageError } from './usage-error.ts'

export interface ServiceArgument {
  readonly protocol: number
  readonly port?: number
}

/** `tcp/443`, `icmp/echo-request`, `icmpv6/128`, or a protocol number. One value, since one packet has one. */
export function parseServiceArgument(text: string): ServiceArgument {
  const [name = '', port, ...rest] = text.toLowerCase().split('/')
  const wrong = (): UsageError => UsageError.of('cli.usage.bad-service', { value: text }, 'explain')
  if (rest.length > 0) throw wrong()
  if (isPortProtocol(name)) {
    if (port === undefined) throw UsageError.of('cli.usage.service-needs-port', { protocol: name }, 'explain')
    return { protocol: portProtocols[name], port: parseNumber(port, 65_535) ?? fail(wrong()) }
  }
  if (isTypeProtocol(name)) {
    if (port === undefined) throw UsageError.of('cli.usage.service-needs-type', { protocol: name }, 'explain')
    const named = icmpTypeNames[name]
    const type = Object.hasOwn(named, port) ? named[port] : parseNumber(port, 255)
    if (type !== undefined && type !== null) return { protocol: typeProtocols[name], port: type }
    const names = Object.keys(named)
    const params = { text: name, value: port, choices: names.join(', '), nearest: nearest(port, names) }
    throw UsageError.of('cli.usage.bad-choice', params, 'explain')
  }
  const protocol = parseNumber(name, 255)
  if (protocol === null || port !== undefined) throw wrong()
  if (
    Object.values<number>(portProtocols).includes(protocol) ||
    Object.values<number>(typeProtocols).includes(protocol)
  )
    throw wrong()
  return { protocol }
}

function fail(error: Error): never {
  throw error
}

function parseNumber(text: string, highest: number): number | null {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return value <= highest ? value : null
}

function isPortProtocol(name: string): name is PortProtocol {
  return Object.hasOwn(portProtocols, name)
}

function isTypeProtocol(name: string): name is TypeProtocol {
  return Object.hasOwn(typeProtocols, name)
}
