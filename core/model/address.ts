/**
 * IP addresses and prefixes: one canonical text each (RFC 5952 for IPv6), so that equal addresses are equal strings.
 * Numbers are bigint, IPv4 as 32 bits and IPv6 as 128 bits; an IPv4-mapped IPv6 address is refused, so that an address has one family.
 */
import { parseIp, stringifyIp } from 'ip-bigint'

declare const brand: unique symbol
export type Address = string & { readonly [brand]: 'Address' }
/** `<address>/<length>`, host bits zero. */
export type Prefix = string & { readonly [brand]: 'Prefix' }

export interface AddressValue {
  readonly family: 4 | 6
  readonly number: bigint
}

export interface PrefixValue extends AddressValue {
  readonly length: number
}

const textPattern = /^[0-9a-fA-F:.]{2,45}$/
const v4Pattern = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/

export function parseAddressValue(text: string): AddressValue | null {
  if (!textPattern.test(text)) return null
  if (!text.includes(':') && !v4Pattern.test(text)) return null
  try {
    const parsed = parseIp(text)
    if (parsed.ipv4mapped === true || parsed.scopeid !== undefined) return null
    return { family: parsed.version, number: parsed.number }
  } catch {
    // ip-bigint throws on malformed text; null is this parser's "no"
    return null
  }
}

export function parseAddress(text: string): Address | null {
  const value = parseAddressValue(text)
  return value === null ? null : toAddress(value)
}

export function toAddress(value: AddressValue): Address {
  return stringifyIp({ number: value.number, version: value.family }) as Address
}

/** Numbers of an address already parsed. Throws on other text: that is a bug. */
export function toAddressValue(address: Address): AddressValue {
  const value = parseAddressValue(address)
  if (value === null) throw new Error(`not an address: ${address}`)
  return value
}

export type PrefixProblem = 'malformed' | 'host-bits'

/** A single address is its own /32 or /128. */
export function parsePrefix(text: string): Prefix | PrefixProblem {
  const slash = text.indexOf('/')
  const value = parseAddressValue(slash < 0 ? text : text.slice(0, slash))
  if (value === null) return 'malformed'
  const bits = value.family === 4 ? 32 : 128
  const lengthText = slash < 0 ? String(bits) : text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d{0,2})$/.test(lengthText)) return 'malformed'
  const length = Number(lengthText)
  if (length > bits) return 'malformed'
  if ((value.number & hostMask(bits, length)) !== 0n) return 'host-bits'
  return `${toAddress(value)}/${length}` as Prefix
}

export function isPrefix(parsed: Prefix | PrefixProblem): parsed is Prefix {
  return parsed !== 'malformed' && parsed !== 'host-bits'
}

/** Numbers of a prefix already parsed. Throws on other text: that is a bug. */
export function toPrefixValue(prefix: Prefix): PrefixValue {
  const slash = prefix.indexOf('/')
  const value = parseAddressValue(prefix.slice(0, slash))
  if (value === null) throw new Error(`not a prefix: ${prefix}`)
  return { family: value.family, number: value.number, length: Number(prefix.slice(slash + 1)) }
}

export function prefixContains(prefix: PrefixValue, address: AddressValue): boolean {
  if (prefix.family !== address.family) return false
  const shift = BigInt((prefix.family === 4 ? 32 : 128) - prefix.length)
  return address.number >> shift === prefix.number >> shift
}

function hostMask(bits: number, length: number): bigint {
  return (1n << BigInt(bits - length)) - 1n
}
