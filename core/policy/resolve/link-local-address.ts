import { type Address, type Mac, toAddress } from '@hyperward/model'

/** The fe80:: address made from a MAC (RFC 4291 appendix A, modified EUI-64). */
export function linkLocalAddress(mac: Mac): Address {
  const bytes = mac.split(':').map((part) => BigInt(Number.parseInt(part, 16)))
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = bytes
  const interfaceId = [a ^ 2n, b, c, 0xffn, 0xfen, d, e, f].reduce((number, byte) => (number << 8n) | byte, 0n)
  return toAddress({ family: 6, number: (0xfe80n << 112n) | interfaceId })
}
