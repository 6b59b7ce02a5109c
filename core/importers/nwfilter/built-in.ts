/**
 * The filters that libvirt installs itself, for files that only refer to them. What they do against forged addresses is always in force at an endpoint
 * here, and ARP and DHCP of a client always work, so what is left of them is which IP family passes at all.
 */
import type { SourcePlace } from '@hyperward/model'

import type { NwFilter, NwRule } from './model.ts'

/** `action direction priority protocol attribute=value`. */
const lines: Readonly<Record<string, readonly string[]>> = {
  'allow-arp': [],
  'allow-dhcp': [],
  'allow-incoming-ipv4': ['accept in -700 mac protocolid=ipv4'],
  'allow-incoming-ipv6': ['accept in -600 mac protocolid=ipv6'],
  'allow-ipv4': ['accept inout -700 mac protocolid=ipv4'],
  'allow-ipv6': ['accept inout -600 mac protocolid=ipv6'],
  'clean-traffic': ['accept inout -650 mac protocolid=ipv4', 'drop inout 1000'],
  'no-arp-ip-spoofing': [],
  'no-arp-mac-spoofing': [],
  'no-arp-spoofing': [],
  'no-ip-multicast': ['drop out -700 ip dstipaddr=224.0.0.0 dstipmask=4'],
  'no-ip-spoofing': [],
  'no-ipv6-multicast': ['drop out -600 ipv6 dstipaddr=ff00:: dstipmask=8'],
  'no-ipv6-spoofing': [],
  'no-mac-spoofing': [],
  'no-other-l2-traffic': ['drop inout 1000'],
  'no-other-rarp-traffic': [],
  'qemu-announce-self': [],
  'qemu-announce-self-rarp': [],
}

/** Null: libvirt has no filter of this name. */
export function findBuiltIn(name: string, place: SourcePlace): NwFilter | null {
  const rules = Object.hasOwn(lines, name) ? lines[name] : undefined
  if (rules === undefined) return null
  return { name, chain: 'root', chainPriority: 0, items: rules.map((line) => toRule(line, place)), place }
}

function toRule(line: string, place: SourcePlace): NwRule {
  const [action = '', direction = '', priority = '', protocol, ...attributes] = line.split(' ')
  return {
    kind: 'rule',
    action: action as NwRule['action'], // as: written above
    direction: direction as NwRule['direction'], // as: written above
    priority: Number(priority),
    statematch: true,
    protocol: protocol ?? null,
    attributes: Object.fromEntries(attributes.map((pair) => pair.split('='))),
    place,
  }
}
