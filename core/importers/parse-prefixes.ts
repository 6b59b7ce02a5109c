/** Addresses as other tools write them → prefixes. Host bits are cleared, as those tools do; masks may be dotted. */
import { isPrefix, parseAddressValue, parsePrefix, type Prefix, toAddress } from '@hyperward/model'

import { rangeToPrefixes } from './document/address-set.ts'

/** `10.0.0.1`, `10.0.0.1/24`, `10.0.0.0/255.255.255.0`, `fd00::/64`. Null for others, and for masks with holes. */
export function parseMaskedPrefix(text: string): Prefix | null {
  const slash = text.indexOf('/')
  const value = parseAddressValue(slash < 0 ? text : text.slice(0, slash))
  if (value === null) return null
  const bits = value.family === 4 ? 32 : 128
  const length = slash < 0 ? bits : parseLength(text.slice(slash + 1), value.family)
  if (length === null || length > bits) return null
  const hostBits = BigInt(bits - length)
  const number = (value.number >> hostBits) << hostBits
  const prefix = parsePrefix(`${toAddress({ family: value.family, number })}/${length}`)
  return isPrefix(prefix) ? prefix : null
}

/** `10.0.0.5-10.0.0.9`, or one address. */
export function parsePrefixRange(text: string): readonly Prefix[] | null {
  const [firstText = '', lastText = firstText, ...rest] = text.split('-')
  const [first, last] = [parseAddressValue(firstText), parseAddressValue(lastText)]
  if (first === null || last === null || rest.length > 0) return null
  if (first.family !== last.family || first.number > last.number) return null
  return rangeToPrefixes(first, last)
}

/** The kernel takes the longest prefix; our exceptions always win. A member inside an exception tells the two apart. */
export function nestsBelowException(include: readonly Prefix[], except: readonly Prefix[]): boolean {
  if (except.length === 0) return false
  const lengths = new Set(except.map((prefix) => prefix.split('/')[1]))
  const known = new Set(except)
  return include.some((prefix) =>
    [...lengths].some((length) => {
      const own = Number(prefix.split('/')[1])
      if (own <= Number(length)) return false
      const wider = parseMaskedPrefix(`${prefix.split('/')[0] ?? ''}/${length ?? ''}`)
      return wider !== null && known.has(wider)
    }),
  )
}

function parseLength(text: string, family: 4 | 6): number | null {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  const mask = parseAddressValue(text)
  if (mask === null || mask.family !== family) return null
  const bits = family === 4 ? 32 : 128
  const inverse = mask.number ^ ((1n << BigInt(bits)) - 1n)
  // ones from the left only: the inverse plus one is a power of two
  if ((inverse & (inverse + 1n)) !== 0n) return null
  return bits - inverse.toString(2).replace(/^0$/, '').length
}
