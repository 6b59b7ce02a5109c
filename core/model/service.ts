/** What a rule says of protocol and port. Ranges are inclusive. `any` of a protocol is its whole range. */
export interface PortRange {
  readonly from: number
  readonly to: number
}

/** Protocols whose classes are made of destination ports, of ICMP types, or of nothing but the number. */
export const portProtocols = { tcp: 6, udp: 17, sctp: 132 } as const
export const typeProtocols = { icmp: 1, icmpv6: 58 } as const
export type PortProtocol = keyof typeof portProtocols
export type TypeProtocol = keyof typeof typeProtocols

export interface ServiceEntry {
  /** IP protocol number, 0..255 (IANA). */
  readonly protocol: number
  /** Destination ports (0..65535) or ICMP types (0..255) in ascending, disjoint ranges; empty for protocols that have neither. */
  readonly ranges: readonly PortRange[]
}

/** `any` matches every protocol, port and type. */
export type Service = { readonly kind: 'any' } | { readonly kind: 'some'; readonly entries: readonly ServiceEntry[] }
