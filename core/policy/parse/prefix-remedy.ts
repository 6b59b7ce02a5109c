import { parseAddressValue, toAddress } from '@hyperward/model'

/** A prefix with its host bits cleared: what the author most likely meant. '' when the text is no prefix at all. */
export function prefixRemedy(text: string): string {
  const [addressText = '', lengthText = ''] = text.split('/')
  const value = parseAddressValue(addressText)
  if (value === null) return ''
  const bits = value.family === 4 ? 32 : 128
  const shift = BigInt(bits - Number(lengthText))
  return `${toAddress({ family: value.family, number: (value.number >> shift) << shift })}/${lengthText}`
}
