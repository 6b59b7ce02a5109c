/**
 * Why the datapath dropped a packet before or beside policy. The numbers are those of drivers/ebpf/bpf/*.h (a test compares them);
 * `policy` means that a rule (or the default) decided, `no-gateway` that it wants inspection and there is none; the event names the rule. docs/packet-fates.md describes each.
 */
export const dropReasons = {
  policy: 0,
  'no-plan': 1,
  malformed: 2,
  'source-mac': 3,
  'source-address': 4,
  'arp-source': 5,
  'nd-source': 6,
  'vlan-tag': 7,
  'non-ip': 8,
  fragment: 9,
  'ip-options': 10,
  'extension-header': 11,
  'no-connection': 12,
  'not-for-endpoint': 13,
  'router-advert': 14,
  'dhcp-server': 15,
  'conntrack-full': 16,
  'icmp-error': 17,
  revoked: 18,
  'no-gateway': 19,
} as const

export type DropReason = keyof typeof dropReasons
