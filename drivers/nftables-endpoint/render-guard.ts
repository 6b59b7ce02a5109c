/**
 * The guard of one tap, with its constants: what the VM may say about itself (netdev ingress, before the bridge sees it), and what may reach it at all (the bridge's
 * postrouting). docs/packet-fates.md says what each frame meets; a chain that is fallen through drops.
 */
import { dropReasons, toAddressValue, type Address, type DropReason } from '@hyperward/model'

import type { Port } from './desired.ts'
import { marks, unjudged } from './names.ts'

export const hex = (value: number): string => `0x${value.toString(16)}`
export const refuse = (reason: DropReason): string => `goto drop_${dropReasons[reason]}`

const toGroup = 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00'
const toOne = 'ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00'

const wholeTcp =
  'meta l4proto tcp tcp flags & (fin|syn|rst|ack) == { syn, syn|ack, ack, rst, rst|ack, fin|ack, fin|rst|ack } tcp doff >= 5 @th,144,16 & 0x0 == 0x0'
const wholeUdp = 'meta l4proto udp udp length >= 8 @th,48,16 & 0x0 == 0x0'

/** Shared by all taps. */
export const netdevShapes: Readonly<Record<string, readonly string[]>> = {
  shape4: [
    `ip version != 4 ${refuse('malformed')}`,
    `ip hdrlength < 5 ${refuse('malformed')}`,
    `ip hdrlength > 5 ${refuse('ip-options')}`,
    `ip frag-off & 0x3fff != 0 ${refuse('fragment')}`,
    `ip protocol 58 ${refuse('malformed')}`,
    `icmp type { 5, 9 } ${refuse('router-advert')}`,
    `icmp type 4 ${refuse('icmp-error')}`,
    `udp sport 67 udp dport 68 ${refuse('dhcp-server')}`,
    'goto shape_transport',
  ],
  shape6: [
    `ip6 version != 6 ${refuse('malformed')}`,
    `ip6 saddr ::ffff:0:0/96 ${refuse('malformed')}`,
    `ip6 daddr ::ffff:0:0/96 ${refuse('malformed')}`,
    'ip6 nexthdr 0 goto listener_report',
    `ip6 nexthdr 44 ${refuse('fragment')}`,
    `ip6 nexthdr { 43, 51, 60, 135, 139, 140, 253, 254 } ${refuse('extension-header')}`,
    `ip6 nexthdr 1 ${refuse('malformed')}`,
    `icmpv6 type { 134, 137, 130 } ${refuse('router-advert')}`,
    `udp sport 547 udp dport 546 ${refuse('dhcp-server')}`,
    `icmpv6 type { 133, 135, 136 } ip6 hoplimit != 255 ${refuse('nd-source')}`,
    `icmpv6 type { 133, 135, 136 } icmpv6 code != 0 ${refuse('nd-source')}`,
    `icmpv6 type { 131, 132, 143 } ip6 hoplimit != 1 ${refuse('nd-source')}`,
    `icmpv6 type { 131, 132, 143 } ip6 daddr != ff00::/8 ${refuse('nd-source')}`,
    // to one receiver it would be a tunnel past policy
    `icmpv6 type { 131, 132, 143 } ${toOne} ${refuse('nd-source')}`,
    'goto shape_transport',
  ],
  // hop-by-hop options: nothing but the router alert of a multicast listener's report
  listener_report: [
    `@nh,320,16 != 0x3a00 ${refuse('extension-header')}`,
    `@nh,384,8 130 ${refuse('router-advert')}`,
    `@nh,384,8 != { 131, 132, 143 } ${refuse('extension-header')}`,
    `ip6 hoplimit != 1 ${refuse('nd-source')}`,
    `ip6 daddr != ff00::/8 ${refuse('nd-source')}`,
    `${toOne} ${refuse('nd-source')}`,
  ],
  // each protocol's header must be there whole (the last field is read), and TCP's flags be some that a TCP sends
  shape_transport: [
    `${wholeTcp} return`,
    `${wholeUdp} return`,
    'meta l4proto sctp @th,96,32 & 0x0 == 0x0 return',
    'meta l4proto { icmp, icmpv6 } @th,32,32 & 0x0 == 0x0 return',
    'meta l4proto != { tcp, udp, sctp, icmp, icmpv6 } return',
    refuse('malformed'),
  ],
}

/** Of netdev ingress. Who falls through to its end has no such type of frame here. */
export function renderFromVm({ mac, addresses, closed }: Port): readonly string[] {
  if (closed) return [refuse('no-plan')]
  const { four, six } = split(addresses)
  const own4 = `{ ${['0.0.0.0', ...four].slice(four.length > 0 ? 1 : 0).join(', ')} }`
  const isOwn4 = four.length > 0 ? `ip saddr ${own4}` : null
  const own6 = `{ ${six.join(', ')} }`
  const judged = `meta priority set ${unjudged} accept`
  const asks = `meta mark set ${hex(marks.asks)} accept`
  const option = (...types: readonly number[]): readonly string[] =>
    types.map((type) => `0x${type.toString(16).padStart(2, '0')}01${mac.replaceAll(':', '')}`)
  return [
    `ether saddr != ${mac} ${refuse('source-mac')}`,
    // before all others: of a frame whose tag the device took out, the rest looks untagged
    `ether type { 0x8100, 0x88a8 } ${refuse('vlan-tag')}`,
    // most packets by one rule of all that is asked of them; the rest by one rule for each question
    ...(isOwn4 === null
      ? []
      : [
          `${isOwn4} @nh,0,8 0x45 ip frag-off & 0x3fff == 0 ${wholeTcp} ${judged}`,
          `${isOwn4} @nh,0,8 0x45 ip frag-off & 0x3fff == 0 udp sport 1024-65535 ${wholeUdp} ${judged}`,
        ]),
    `ip6 saddr ${own6} ip6 version 6 ip6 nexthdr 6 ip6 daddr != ::ffff:0:0/96 ${wholeTcp} ${judged}`,
    `ip6 saddr ${own6} ip6 version 6 ip6 nexthdr 17 ip6 daddr != ::ffff:0:0/96 udp sport 1024-65535 ${wholeUdp} ${judged}`,
    'ether type ip jump shape4',
    // an error complains of what was sent to this endpoint
    ...(isOwn4 === null
      ? []
      : [`${isOwn4} icmp type { 3, 11, 12 } @th,192,32 != { ${four.map(word).join(', ')} } ${refuse('icmp-error')}`]),
    `${toGroup} ip daddr 224.0.0.0-255.255.255.255 udp sport 68 udp dport 67 ip saddr { ${['0.0.0.0', ...four].join(', ')} } ${asks}`,
    ...(isOwn4 === null ? [] : [`${isOwn4} ${judged}`]),
    `ether type ip ${refuse('source-address')}`,
    'ether type ip6 jump shape6',
    // a solicitation of routers may tell the own MAC; of neighbours, for the own address only when the sender has none
    `icmpv6 type 133 ip6 saddr ${own6} ip6 length 8 accept`,
    `icmpv6 type 133 ip6 saddr :: ip6 length 8 accept`,
    `icmpv6 type 133 ip6 saddr ${own6} ip6 length 16 @th,64,64 ${option(1)[0]} accept`,
    `icmpv6 type { 135, 136 } jump neighbour_shape`,
    `icmpv6 type 135 ip6 saddr :: @th,64,128 { ${six.map(word).join(', ')} } ip6 length 24 accept`,
    `icmpv6 type 135 ip6 saddr :: @th,64,128 { ${six.map(word).join(', ')} } @th,192,16 0x0e01 ip6 length 32 accept`,
    `icmpv6 type 135 ip6 saddr ${own6} ip6 length 24 accept`,
    `icmpv6 type 135 ip6 saddr ${own6} ip6 length 32 @th,192,64 ${option(1)[0]} accept`,
    `icmpv6 type 136 ip6 saddr ${own6} @th,64,128 { ${six.map(word).join(', ')} } ip6 length 24 accept`,
    `icmpv6 type 136 ip6 saddr ${own6} @th,64,128 { ${six.map(word).join(', ')} } ip6 length 32 @th,192,64 ${option(2)[0]} accept`,
    `icmpv6 type { 133, 135, 136 } ${refuse('nd-source')}`,
    `icmpv6 type { 131, 132, 143 } ip6 saddr { ::, ${six.join(', ')} } accept`,
    `${toGroup} ip6 daddr ff00::/8 udp sport 546 udp dport 547 ip6 saddr ${own6} ${asks}`,
    `ip6 saddr ${own6} icmpv6 type { 1, 2, 3, 4 } @th,256,128 != { ${six.map(word).join(', ')} } ${refuse('icmp-error')}`,
    `ip6 saddr ${own6} ${judged}`,
    `ether type ip6 ${refuse('source-address')}`,
    'ether type arp jump arp_shape',
    `ether type arp arp saddr ether != ${mac} ${refuse('arp-source')}`,
    ...(four.length > 0 ? [`arp saddr ip ${own4} accept`] : []),
    'arp operation request arp saddr ip 0.0.0.0 accept',
    `ether type arp ${refuse('arp-source')}`,
    // what QEMU sends after a migration: own MAC twice, no address
    `ether type 0x8035 @nh,0,64 0x0001080006040003 @nh,64,48 0x${mac.replaceAll(':', '')} @nh,112,32 0 @nh,144,48 0x${mac.replaceAll(':', '')} @nh,192,32 0 accept`,
    refuse('non-ip'),
  ]
}

export const netdevRest: Readonly<Record<string, readonly string[]>> = {
  arp_shape: [
    'arp htype 1 arp ptype 0x0800 arp hlen 6 arp plen 4 arp operation { 1, 2 } @nh,192,32 & 0x0 == 0x0 return',
    refuse('malformed'),
  ],
  neighbour_shape: [`@th,184,8 & 0x0 == 0x0 return`, refuse('malformed')],
}

/** Of the bridge's postrouting: the last look before the tap. */
export function renderToVm({ mac, addresses, closed, ifindex }: Port): readonly string[] {
  if (closed) return [refuse('no-plan')]
  const { four, six } = split(addresses)
  const passes = 'meta mark set 0 accept'
  const admitted = `meta mark ${hex(marks.admitted)}`
  return [
    ...(four.length > 0 ? [`ether daddr ${mac} ${admitted} ip daddr { ${four.join(', ')} } ${passes}`] : []),
    `${toOne} ether daddr != ${mac} ${refuse('not-for-endpoint')}`,
    `ether type { 0x8100, 0x88a8 } ${refuse('vlan-tag')}`,
    'ether type arp accept',
    `ether type != { ip, ip6 } ${refuse('non-ip')}`,
    ...(four.length > 0 ? [`${admitted} ip daddr { ${four.join(', ')} } ${passes}`] : []),
    `${admitted} ip6 daddr { ${six.join(', ')} } ${passes}`,
    `${admitted} ip daddr 224.0.0.0-255.255.255.255 ${passes}`,
    `${admitted} ip6 daddr ff00::/8 ${passes}`,
    `${admitted} ${refuse('not-for-endpoint')}`,
    'ether type ip6 jump link6',
    `udp sport 67 udp dport 68 oif . udp dport @asked accept`,
    `udp sport 547 udp dport 546 oif . udp dport @asked accept`,
    `icmp type 5 ${refuse('router-advert')}`,
    refuse('policy'),
  ].map((rule) => rule.replaceAll('IFINDEX', String(ifindex)))
}

/** What a link needs and no rule gives. */
export const bridgeShapes: Readonly<Record<string, readonly string[]>> = {
  link6: [
    `icmpv6 type 137 ${refuse('router-advert')}`,
    `icmpv6 type { 133, 134, 135, 136 } ip6 hoplimit != 255 ${refuse('nd-source')}`,
    'icmpv6 type { 133, 134, 135, 136 } accept',
    `icmpv6 type { 130, 131, 132, 143 } ${toGroup} ip6 hoplimit 1 ip6 daddr ff00::/8 accept`,
    `icmpv6 type { 130, 131, 132, 143 } ${refuse('nd-source')}`,
  ],
}

function split(addresses: readonly Address[]): { readonly four: readonly Address[]; readonly six: readonly Address[] } {
  return {
    four: addresses.filter((address) => !address.includes(':')),
    six: addresses.filter((address) => address.includes(':')),
  }
}

function word(address: Address): string {
  const { family, number } = toAddressValue(address)
  return `0x${number.toString(16).padStart(family === 4 ? 8 : 32, '0')}`
}
