/**
 * How a packet is judged at each side, in the inet table. A packet from a tap is judged once at prerouting (its sender's side), one to a tap at forward or output (its
 * receiver's). Each side of a connection is judged on the first packet that it sees, and again at the first one under another plan: the mark of the connection says
 * under which plan (its epoch) each side was admitted. These chains are the only ones that name the epoch.
 */
import { dropReasons, type DropReason } from '@hyperward/model'

import {
  actionMask,
  actionNumbers,
  epochMask,
  knownMask,
  logFlag,
  logGroup,
  marks,
  monitorFlag,
  rateFlag,
  unjudged,
  sides,
  type Side,
} from './names.ts'
import { hex } from './render-guard.ts'
import type { Chain } from './state.ts'

type Way = 'out' | 'in'
/** Reasons of drops that a rule decided. */
const byRule: ReadonlySet<number> = new Set([dropReasons.policy, dropReasons['no-gateway']])
const directionOf = { out: 'egress', in: 'ingress' } as const

const passes = { out: 'meta priority set 0:0 accept', in: `meta mark set ${hex(marks.admitted)} accept` } as const

export function renderJudgement(epoch: number): ReadonlyMap<string, Chain> {
  const chains = new Map<string, Chain>()
  const add = (name: string, rules: readonly string[], hook: string | null = null): void => {
    chains.set(name, { hook, rules })
  }
  const own = `meta priority ${unjudged}`
  // before the kernel puts fragments together
  add(
    'early',
    [`${own} goto zone`, 'ip daddr @local4 goto shape4', 'ip6 daddr @local6 goto shape6'],
    hook('prerouting', -450),
  )
  // the reply's way stays in the zone of the others: the answer may come from another tenant, or from behind the host's NAT
  add('zone', ['ct original zone set ip saddr map @zones4', 'ct original zone set ip6 saddr map @zones6'])
  add('shape4', [
    `ip hdrlength > 5 ${refuse('in', 'ip-options')}`,
    `ip frag-off & 0x3fff != 0 ${refuse('in', 'fragment')}`,
    `icmp type 5 ${refuse('in', 'router-advert')}`,
    `icmp type 4 ${refuse('in', 'icmp-error')}`,
  ])
  add('shape6', [
    `ip6 nexthdr 44 ${refuse('in', 'fragment')}`,
    `ip6 nexthdr { 0, 43, 51, 60, 135, 139, 140, 253, 254 } ${refuse('in', 'extension-header')}`,
    `icmpv6 type 137 ${refuse('in', 'router-advert')}`,
  ])
  // right after conntrack: from here on others may write marks and addresses
  add('out', [`${own} goto judge_out`], hook('prerouting', -199))
  const arrive = [
    'ip daddr @local4 goto judge_in',
    'ip6 daddr @local6 goto judge_in',
    'ip daddr 224.0.0.0-255.255.255.255 goto softly',
    'ip6 daddr ff00::/8 goto softly',
  ]
  add('forward', arrive, hook('forward', 5))
  add('output', arrive, hook('output', 5))
  // what many receive, and a DHCP answer: refused at each tap, not on its way to others
  add('softly', [
    'jump ask_in',
    'meta priority set 0:0',
    `meta mark & ${hex(actionMask)} { 1, 2 } meta mark set ${hex(marks.admitted)} accept`,
    'meta mark set 0',
  ])

  for (const way of ['out', 'in'] as const) {
    const begins: Side = way === 'out' ? 'originator' : 'responder'
    const answers: Side = way === 'out' ? 'responder' : 'originator'
    add(`judge_${way}`, [
      `ct state { new, established } ct direction original goto ${way}_${begins}`,
      `ct state established goto ${way}_${answers}`,
      `ct state related meta l4proto { icmp, icmpv6 } ct direction original goto ${way}_${begins}`,
      `ct state related meta l4proto { icmp, icmpv6 } goto ${way}_${answers}`,
      `goto alone_${way}`,
    ])
    for (const side of [begins, answers]) add(`${way}_${side}`, renderSide(way, side, epoch))
    // not admitted here: a beginning is judged, anything else passes only without state
    add(`alone_${way}`, [
      ...(way === 'in' ? linkTraffic : []),
      `jump ask_${way}`,
      'meta priority set 0:0',
      `meta mark & ${hex(actionMask)} ${actionNumbers['allow-stateless']} goto stateless_${way}`,
      `ct state invalid goto stray_${way}`,
      `meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn goto stray_${way}`,
      `meta l4proto sctp @th,96,8 != 1 goto stray_${way}`,
      `icmp type { 0, 3, 4, 11, 12, 14, 16, 18 } goto stray_${way}`,
      `icmpv6 type { 1, 2, 3, 4, 129 } goto stray_${way}`,
      `jump count_${way}`,
      `meta mark & ${hex(actionMask)} ${actionNumbers.allow} goto admit_${way}`,
      `meta mark & ${hex(actionMask)} ${actionNumbers.inspect} ${refuse(way, 'no-gateway')}`,
      refuse(way, 'policy'),
    ])
    add(`stray_${way}`, [
      `icmp type { 3, 4, 11, 12 } ${refuse(way, 'icmp-error')}`,
      `icmpv6 type { 1, 2, 3, 4 } ${refuse(way, 'icmp-error')}`,
      refuse(way, 'no-connection'),
    ])
    add(`stateless_${way}`, [
      `jump count_${way}`,
      ...logByRule(`start ${way}`, `meta mark & ${hex(logFlag)} != 0 `),
      `goto pass_${way}`,
    ])
    const admit = (side: Side, bits: number): readonly string[] => [
      // a side that was turned once may be so no more
      `ct mark set ct mark & ${hex((0xffff_ffff & ~sides[side].turned) >>> 0)}`,
      `ct mark & ${hex(epochMask)} == ${hex(epoch * 64)} ct mark set ct mark | ${hex(bits)} goto pass_${way}`,
      `ct mark set ct mark & ${hex(knownMask)} | ${hex(epoch * 64 + bits)}`,
      `goto pass_${way}`,
    ]
    add(`admit_${way}`, [
      ...logByRule(`start ${way}`),
      `ct direction reply goto turn_${way}`,
      ...admit(begins, sides[begins].known | sides[begins].current),
    ])
    add(`turn_${way}`, admit(answers, sides[answers].known | sides[answers].current | sides[answers].turned))
    add(`pass_${way}`, [`${way === 'out' ? 'meta mark set 0 ' : ''}${passes[way]}`])
    add(`count_${way}`, [
      'counter name meta mark map @counts',
      `meta mark & ${hex(monitorFlag)} == 0 return`,
      'counter name meta mark map @monitors',
      log(`monitor ${way}`),
    ])
    const end = way === 'out' ? 'saddr' : 'daddr'
    for (const reason of Object.values(dropReasons)) {
      const last = [
        `meta mark set ${hex(reason)}`,
        `update @drops4 { ip ${end} . meta mark }`,
        `update @drops6 { ip6 ${end} . meta mark }`,
        'drop',
      ]
      // first, while the mark still says which rule
      const told = `drop ${way} ${reason}`
      add(`drop_${way}_${reason}`, [...(byRule.has(reason) ? logByRule(told) : [log(told)]), ...last])
    }
    const [local, peer] = way === 'out' ? ['saddr', 'daddr'] : ['daddr', 'saddr']
    add(`ask_${way}`, [
      ...renderIdentities(`ip ${local}`, `ip ${peer}`, `ip6 ${local}`, `ip6 ${peer}`),
      ...renderServices(way),
    ])
    // the same for the connection's first packet, as it was or, at the responder, as it came there
    const [ctLocal, ctPeer, port] =
      way === 'out'
        ? (['original', ['original', 'daddr'], 'ct original proto-dst'] as const)
        : (['reply', ['original', 'saddr'], 'ct reply proto-src'] as const)
    add(`ask_again_${way}`, [
      ...renderIdentities(
        `ct ${ctLocal} ip saddr`,
        `ct ${ctPeer[0]} ip ${ctPeer[1]}`,
        `ct ${ctLocal} ip6 saddr`,
        `ct ${ctPeer[0]} ip6 ${ctPeer[1]}`,
      ),
      ...renderServicesAgain(way, port),
    ])
    // … and as the answer came, for a side that took that for a beginning
    const [near, far] = way === 'out' ? ['saddr', 'daddr'] : ['daddr', 'saddr']
    add(`ask_turned_${way}`, [
      ...renderIdentities(`ct reply ip ${near}`, `ct reply ip ${far}`, `ct reply ip6 ${near}`, `ct reply ip6 ${far}`),
      ...renderServicesAgain(way, 'ct reply proto-dst'),
    ])
  }
  return chains
}

function renderSide(way: Way, side: Side, epoch: number): readonly string[] {
  const { known, current, turned } = sides[side]
  const [again, turnedAgain] = side === 'originator' ? ['out', 'in'] : ['in', 'out']
  const now = hex(epoch * 64)
  const others = hex((0xffff_ffff & ~(known | current | turned)) >>> 0)
  return [
    // what is not judged anew keeps the mark that others gave it
    `ct mark & ${hex((epochMask | known | current) >>> 0)} == ${hex(epoch * 64 + known + current)} ${passes[way]}`,
    `ct mark & ${hex(known)} == 0 goto alone_${way}`,
    `ct mark & ${hex(epochMask)} != ${now} ct mark set ct mark & ${hex(knownMask)} | ${now}`,
    `ct mark & ${hex(turned)} == 0 jump ask_again_${again}`,
    `ct mark & ${hex(turned)} != 0 jump ask_turned_${turnedAgain}`,
    'meta priority set 0:0',
    `meta mark & ${hex(actionMask)} ${actionNumbers.allow} ct mark set ct mark | ${hex(current)} goto pass_${way}`,
    `ct mark set ct mark & ${others}`,
    `meta mark & ${hex(actionMask)} ${actionNumbers['allow-stateless']} goto alone_${way}`,
    refuse(way, 'revoked'),
  ]
}

/** The local identity into the packet's mark, the peer's into its priority; who is in no map is the world. */
function renderIdentities(local4: string, peer4: string, local6: string, peer6: string): readonly string[] {
  return [
    'meta mark set 0x1',
    'meta priority set 0:1',
    ...(
      [
        [4, local4, peer4],
        [6, local6, peer6],
      ] as const
    ).flatMap(([family, local, peer]) => [
      `meta mark set ${local} map @local_networks${family}`,
      `meta mark set ${local} map @own${family}`,
      `meta priority set ${peer} map @peer_networks${family}`,
      `meta priority set ${peer} map @addresses${family}`,
    ]),
  ]
}

/** On to the chain of the service's class, by the packet. An ICMP message has its type and code where others have a port. */
function renderServices(way: Way): readonly string[] {
  const services = `services_${directionOf[way]}`
  return [
    `meta l4proto { 6, 17, 132 } meta l4proto . th dport vmap @${services}`,
    `meta l4proto { 1, 58 } meta l4proto . th sport vmap @${services}`,
    `meta l4proto vmap @protocols_${directionOf[way]}`,
    `goto class_${directionOf[way]}_0`,
  ]
}

/** The same by the connection. nft knows what a connection's port is only when family and protocol are said. */
function renderServicesAgain(way: Way, port: string): readonly string[] {
  return [
    ...(['ipv4', 'ipv6'] as const).flatMap((family) =>
      [6, 17, 132, family === 'ipv4' ? 1 : 58].map((one) => {
        const key = one === 1 || one === 58 ? 'ct original proto-dst' : port
        return `meta nfproto ${family} ct protocol ${one} ct protocol . ${key} vmap @services_${directionOf[way]}`
      }),
    ),
    `ct protocol vmap @protocols_${directionOf[way]}`,
    `goto class_${directionOf[way]}_0`,
  ]
}

/** Neighbour discovery and listener reports are let in or not at the tap; a DHCP answer there, when it was asked for. */
const linkTraffic: readonly string[] = [
  'icmpv6 type { 130, 131, 132, 133, 134, 135, 136, 143 } accept',
  'udp sport 67 udp dport 68 goto softly',
  'udp sport 547 udp dport 546 goto softly',
]

function refuse(way: Way, reason: DropReason): string {
  return `goto drop_${way}_${dropReasons[reason]}`
}

function log(prefix: string): string {
  return `limit rate 500/second burst 500 packets log prefix "${prefix}" group ${logGroup} queue-threshold 1 snaplen 128`
}

/** Of what a rule decided: as often as that rule has it. */
function logByRule(prefix: string, when = ''): readonly string[] {
  return [
    `${when}meta mark & ${hex(rateFlag)} == 0 ${log(prefix)}`,
    `limit name meta mark map @rates log prefix "${prefix}" group ${logGroup} queue-threshold 1 snaplen 128`,
  ]
}

function hook(name: string, priority: number): string {
  return `type filter hook ${name} priority ${priority}; policy accept;`
}
