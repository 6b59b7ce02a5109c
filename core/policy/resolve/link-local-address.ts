import type { Address, Mac } from '@hyperward/model'

/** The fe80:: address made from a MAC (RFC 4291 appendix A, modified EUI-64), as RFC 5952 writes it. */
export function linkLocalAddress(mac: Mac): Address {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => Number.parseInt(part, 16))
  const first = ((a ^ 2) << 8) | b
  const rest = [(c << 8) | 0xff, 0xfe00 | d, (e << 8) | f].map((word) => word.toString(16)).join(':')
  // a first word of zero belongs to the run of zeros before it
  return (first === 0 ? `fe80::${rest}` : `fe80::${first.toString(16)}:${rest}`) as Address
}
