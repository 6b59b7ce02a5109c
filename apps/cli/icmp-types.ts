import { typeProtocols } from '@hyperward/model'

/** Names of ICMP types by number, those of core/policy's documents (a test compares; core/policy itself would bring a YAML parser into every command). */
export const icmpTypes: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [typeProtocols.icmp]: {
    0: 'echo-reply',
    3: 'destination-unreachable',
    5: 'redirect',
    8: 'echo-request',
    9: 'router-advertisement',
    10: 'router-solicitation',
    11: 'time-exceeded',
    12: 'parameter-problem',
    13: 'timestamp-request',
    14: 'timestamp-reply',
  },
  [typeProtocols.icmpv6]: {
    1: 'destination-unreachable',
    2: 'packet-too-big',
    3: 'time-exceeded',
    4: 'parameter-problem',
    128: 'echo-request',
    129: 'echo-reply',
    133: 'nd-router-solicit',
    134: 'nd-router-advert',
    135: 'nd-neighbor-solicit',
    136: 'nd-neighbor-advert',
    137: 'nd-redirect',
  },
}
