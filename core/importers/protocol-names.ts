/** Names of IP protocols in firewall files (/etc/protocols, Neutron's API), without those that our languages' services have by name. */
const protocolNumbers: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  eigrp: 88,
  encap: 98,
  esp: 50,
  etherip: 97,
  ggp: 3,
  gre: 47,
  hip: 139,
  hopopt: 0,
  icmp: 1,
  icmpv6: 58,
  icmp6: 58,
  idp: 22,
  igmp: 2,
  ipcomp: 108,
  ipencap: 4,
  ipip: 94,
  ipv4: 4,
  ipv6: 41,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  l2tp: 115,
  mh: 135,
  'mobility-header': 135,
  ospf: 89,
  pgm: 113,
  pim: 103,
  rsvp: 46,
  sctp: 132,
  shim6: 140,
  skip: 57,
  st: 5,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
}

/** A number from 0 to 255, in decimal or as `0x…`, or a name. Null for others. */
export function parseProtocol(text: string): number | null {
  const lower = text.toLowerCase()
  if (/^(?:\d{1,3}|0x[0-9a-f]{1,2})$/.test(lower)) return Number(lower) <= 255 ? Number(lower) : null
  return Object.hasOwn(protocolNumbers, lower) ? (protocolNumbers[lower] ?? null) : null
}
