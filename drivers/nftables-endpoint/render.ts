/** Everything wanted → the content of the three tables. */
import { dropReasons, type Address, type Direction, type HostPlanSections, type Verdict } from '@hyperward/model'

import type { Desired } from './desired.ts'
import { id, type Chain, type NftSet, type State } from './state.ts'
import { bridgeShapes, hex, netdevRest, netdevShapes, renderFromVm, renderToVm } from './render-guard.ts'
import { renderJudgement } from './render-judgement.ts'
import { actionNumbers, dhcpWindow, logGroup, marks, unjudged } from './names.ts'
import { toRanges } from './networks.ts'
import type { Outcomes } from './outcomes.ts'

export function render(desired: Desired, outcomes: Outcomes, epoch: number): State {
  const chains = new Map<string, Chain>()
  const sets = new Map<string, NftSet>()
  const counters = new Set<string>()
  const limits = new Map<string, string>()
  const add = (
    family: 'netdev' | 'inet' | 'bridge',
    name: string,
    rules: readonly string[],
    hook: string | null = null,
  ): void => {
    chains.set(id(family, name), { hook, rules })
  }
  const addSet = (
    family: 'netdev' | 'inet' | 'bridge',
    kind: 'set' | 'map',
    name: string,
    declaration: string,
    elements: ReadonlyMap<string, string> | null,
  ): void => {
    sets.set(id(family, name), { kind, declaration, elements, interval: declaration.includes('interval') })
  }

  for (const family of ['netdev', 'bridge'] as const) {
    addSet(family, 'set', 'drops', 'type iface_index . mark; size 65536; flags dynamic; counter;', null)
    const key = family === 'netdev' ? 'iif' : 'oif'
    const direction = family === 'netdev' ? 'out' : 'in'
    for (const reason of Object.values(dropReasons)) {
      add(family, `drop_${reason}`, [
        `meta mark set ${hex(reason)}`,
        `update @drops { ${key} . meta mark }`,
        `limit rate 50/second burst 50 packets log prefix "drop ${direction} ${reason}" group ${logGroup} queue-threshold 1 snaplen 128`,
        'drop',
      ])
    }
  }
  for (const [name, rules] of Object.entries({ ...netdevShapes, ...netdevRest })) add('netdev', name, rules)
  for (const [name, rules] of Object.entries(bridgeShapes)) add('bridge', name, rules)

  const portElements = new Map<string, string>()
  for (const port of desired.ports) {
    const hook = `type filter hook ingress device "${port.device}" priority -300; policy drop;`
    add('netdev', `from_${port.ifindex}`, renderFromVm(port), hook)
    add('bridge', `to_${port.ifindex}`, renderToVm(port))
    portElements.set(String(port.ifindex), `goto to_${port.ifindex}`)
  }
  addSet('bridge', 'map', 'ports', 'type iface_index : verdict; size 8192;', portElements)
  addSet(
    'bridge',
    'set',
    'asked',
    `type iface_index . inet_service; size 16384; flags dynamic,timeout; timeout ${dhcpWindow}s;`,
    null,
  )
  // without the bridge's calls into inet nobody has judged the packet
  const unguarded = `meta priority ${unjudged} goto drop_${dropReasons['no-plan']}`
  add(
    'bridge',
    'ask',
    [`meta mark ${hex(marks.asks)} update @asked { iif . udp sport }`],
    'type filter hook prerouting priority -320; policy accept;',
  )
  add('bridge', 'input', [unguarded], 'type filter hook input priority 300; policy accept;')
  add(
    'bridge',
    'last',
    [unguarded, 'oif vmap @ports', `meta mark { ${hex(marks.admitted)}, ${hex(marks.asks)} } meta mark set 0`],
    'type filter hook postrouting priority 300; policy accept;',
  )

  // a tap that was taken off its bridge: nothing that the host routes reaches it
  addSet('inet', 'set', 'taps', 'type iface_index;', new Map(desired.ports.map((port) => [String(port.ifindex), ''])))
  add('inet', 'routed', ['oif @taps drop'], 'type filter hook postrouting priority 300; policy accept;')

  const { sections } = desired
  const defaultOutcome = sections === null ? actionNumbers.drop : outcomes.numberOf('drop', 0, undefined, sections)
  const used = new Map<number, Verdict | null>([[defaultOutcome, null]])
  const rowsOf = sections === null ? new Map<string, Map<string, string>>() : renderRows(sections, outcomes, used)
  renderLocal(desired, addSet)
  renderPeers(sections, addSet)
  const classes = new Set([0, ...(sections?.services.map((service) => service.class) ?? [])])
  for (const direction of ['egress', 'ingress'] as const) {
    for (const [name, elements] of rowsOf) {
      if (!name.startsWith(`${direction}_`)) continue
      const key = name.includes('_any_') ? 'mark' : 'mark . classid'
      addSet('inet', 'map', name, `type ${key} : mark;`, elements)
    }
    for (const one of classes)
      add('inet', `class_${direction}_${one}`, renderClass(direction, one, rowsOf, defaultOutcome))
    const port = new Map<string, string>()
    const proto = new Map<string, string>()
    for (const service of sections?.services ?? []) {
      const target = `goto class_${direction}_${service.class}`
      if (isIcmp(service.protocol))
        port.set(`${service.protocol} . ${service.from * 256}-${service.to * 256 + 255}`, target)
      else if (hasPorts(service.protocol)) port.set(`${service.protocol} . ${service.from}-${service.to}`, target)
      else proto.set(String(service.protocol), target)
    }
    addSet('inet', 'map', `services_${direction}`, 'type inet_proto . inet_service : verdict; flags interval;', port)
    addSet('inet', 'map', `protocols_${direction}`, 'type inet_proto : verdict;', proto)
  }

  const counts = new Map<string, string>()
  const monitors = new Map<string, string>()
  const rates = new Map<string, string>()
  for (const number of used.keys()) {
    const outcome = outcomes.get(number)
    if (outcome === null) continue
    const name = counterName(outcome.rule)
    counters.add(name)
    counts.set(hex(number), `"${name}"`)
    if (outcome.logRate !== null) {
      const limit = `rate_${outcome.rule}_${outcome.logRate}`
      limits.set(limit, `rate ${outcome.logRate}/second burst ${outcome.logRate} packets`)
      rates.set(hex(number), `"${limit}"`)
    }
    if (outcome.monitor === null) continue
    const monitor = counterName(outcome.monitor)
    counters.add(monitor)
    monitors.set(hex(number), `"${monitor}"`)
  }
  addSet('inet', 'map', 'counts', 'type mark : counter;', counts)
  addSet('inet', 'map', 'monitors', 'type mark : counter;', monitors)
  addSet('inet', 'map', 'rates', 'type mark : limit;', rates)
  for (const [name, chain] of renderJudgement(epoch)) chains.set(id('inet', name), chain)
  for (const family of [4, 6] as const) {
    addSet('inet', 'set', `drops${family}`, `type ipv${family}_addr . mark; size 65536; flags dynamic; counter;`, null)
  }
  return { kind: 'state', chains, sets, counters, limits }
}

type AddSet = (
  family: 'netdev' | 'inet' | 'bridge',
  kind: 'set' | 'map',
  name: string,
  declaration: string,
  elements: ReadonlyMap<string, string> | null,
) => void

function renderLocal({ local }: Desired, addSet: AddSet): void {
  for (const family of [4, 6] as const) {
    const own = local.filter(({ address }) => address.includes(':') === (family === 6))
    const key = `ipv${family}_addr`
    addSet('inet', 'set', `local${family}`, `type ${key};`, new Map(own.map(({ address }) => [address, ''])))
    addSet(
      'inet',
      'map',
      `own${family}`,
      `type ${key} : mark;`,
      new Map(own.map(({ address, identity }) => [address, hex(identity)])),
    )
    addSet(
      'inet',
      'map',
      `zones${family}`,
      `typeof ip${family === 4 ? '' : '6'} saddr : ct zone;`,
      new Map(own.map(({ address, zone }) => [address, String(zone)])),
    )
  }
}

/** Twice, as a packet's two identities are kept in two places of two types. */
function renderPeers(sections: HostPlanSections | null, addSet: AddSet): void {
  for (const family of [4, 6] as const) {
    const key = `ipv${family}_addr`
    const of = (sections?.addresses ?? []).filter(({ address }) => isFamily(address, family))
    addSet(
      'inet',
      'map',
      `addresses${family}`,
      `type ${key} : classid;`,
      new Map(of.map((row) => [row.address, classid(row.identity)])),
    )
    const ranges = toRanges(sections?.networks ?? [], family)
    const range = ({ from, to }: (typeof ranges)[number]): string => (from === to ? from : `${from}-${to}`)
    addSet(
      'inet',
      'map',
      `peer_networks${family}`,
      `type ${key} : classid; flags interval;`,
      new Map(ranges.map((row) => [range(row), classid(row.identity)])),
    )
    addSet(
      'inet',
      'map',
      `local_networks${family}`,
      `type ${key} : mark; flags interval;`,
      new Map(ranges.map((row) => [range(row), hex(row.identity)])),
    )
  }
}

function isFamily(address: Address, family: 4 | 6): boolean {
  return address.includes(':') === (family === 6)
}

/** Verdicts by map: `<direction>_<class>` for a peer, `<direction>_any_<class>` for any. */
function renderRows(
  sections: HostPlanSections,
  outcomes: Outcomes,
  used: Map<number, Verdict | null>,
): Map<string, Map<string, string>> {
  const maps = new Map<string, Map<string, string>>()
  for (const row of sections.verdicts) {
    const name = `${row.direction}_${row.peer === 0 ? 'any_' : ''}${row.class}`
    let rows = maps.get(name)
    if (rows === undefined) maps.set(name, (rows = new Map()))
    const number = outcomes.numberOf(row.action, row.rule, row.monitor, sections)
    used.set(number, row)
    rows.set(row.peer === 0 ? hex(row.local) : `${hex(row.local)} . ${classid(row.peer)}`, hex(number))
  }
  return maps
}

/** The four look-ups in their order (core/model/host-plan.ts); none answers = the default drop. */
function renderClass(
  direction: Direction,
  one: number,
  maps: ReadonlyMap<string, unknown>,
  defaultOutcome: number,
): readonly string[] {
  const rules: string[] = []
  for (const [name, key] of [
    [`${direction}_${one}`, 'meta mark . meta priority'],
    [`${direction}_0`, 'meta mark . meta priority'],
    [`${direction}_any_${one}`, 'meta mark'],
    [`${direction}_any_0`, 'meta mark'],
  ] as const) {
    const rule = `meta mark set ${key} map @${name} return`
    if (maps.has(name) && !rules.includes(rule)) rules.push(rule)
  }
  return [...rules, `meta mark set ${hex(defaultOutcome)}`]
}

export function counterName(rule: number): string {
  return `rule_${rule}`
}

function classid(identity: number): string {
  return `${(identity >>> 16).toString(16)}:${(identity & 0xffff).toString(16)}`
}

const isIcmp = (protocol: number): boolean => protocol === 1 || protocol === 58
const hasPorts = (protocol: number): boolean => protocol === 6 || protocol === 17 || protocol === 132
