/** Names of ICMP types (IANA "ICMP Type Numbers"; "ICMPv6 type Numbers"), as nft and ip6tables spell them. */
export const icmpTypeNames: Readonly<Record<'icmp' | 'icmpv6', Readonly<Record<string, number>>>> = {
  icmp: {
    'echo-reply': 0,
    'destination-unreachable': 3,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
    'timestamp-request': 13,
    'timestamp-reply': 14,
  },
  icmpv6: {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
  },
}
