/** Elements of sets in one spelling: what was rendered and what nft tells (`-j -n -n`) are equal texts when they mean the same. */
import { parseAddressValue, toAddress } from '@hyperward/model'

/** `names`: ifindex by device, as nft tells devices by name. */
export function decodeElement(element: unknown, names: ReadonlyMap<string, number>): readonly [string, string] {
  const [key, value] = Array.isArray(element) ? [element[0] as unknown, element[1] as unknown] : [element, '']
  return [decodeKey(key, names), decodeValue(value)]
}

/** Of a rendered element. */
export function canonicalKey(key: string): string {
  return key.split(' . ').map(canonicalPart).join(' . ')
}

export function canonicalValue(value: string): string {
  return canonicalPart(value.replaceAll('"', ''))
}

function canonicalPart(part: string): string {
  if (/^0x[0-9a-f]+$/.test(part)) return String(Number(part))
  const [from, to] = part.split('-')
  return from === to && from !== undefined ? from : part
}

interface Told {
  readonly concat?: readonly unknown[]
  readonly range?: readonly [unknown, unknown]
  readonly prefix?: { readonly addr?: unknown; readonly len?: unknown }
  readonly goto?: { readonly target?: unknown }
}

function decodeKey(key: unknown, names: ReadonlyMap<string, number>): string {
  if (typeof key === 'number') return String(key)
  if (typeof key === 'string') return decodeText(key, names)
  // as: nft's own output; what has none of the members is told as it is, and equals nothing
  const told = (key ?? {}) as Told
  if (told.concat !== undefined) return told.concat.map((part) => decodeKey(part, names)).join(' . ')
  if (told.range !== undefined) return told.range.map((end) => decodeKey(end, names)).join('-')
  if (typeof told.prefix?.addr === 'string' && typeof told.prefix.len === 'number')
    return decodePrefix(told.prefix.addr, told.prefix.len)
  return JSON.stringify(key)
}

function decodeText(text: string, names: ReadonlyMap<string, number>): string {
  const value = parseAddressValue(text)
  if (value !== null) return toAddress(value)
  const ifindex = names.get(text)
  return ifindex === undefined ? text : String(ifindex)
}

function decodePrefix(address: string, length: number): string {
  const value = parseAddressValue(address)
  if (value === null) return `${address}/${length}`
  const last = value.number + (1n << BigInt((value.family === 4 ? 32 : 128) - length)) - 1n
  const [from, to] = [toAddress(value), toAddress({ family: value.family, number: last })]
  return from === to ? from : `${from}-${to}`
}

function decodeValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'string') return String(value)
  // as: nft's own output, as above
  const target = (value as Told).goto?.target
  return typeof target === 'string' ? `goto ${target}` : JSON.stringify(value)
}
