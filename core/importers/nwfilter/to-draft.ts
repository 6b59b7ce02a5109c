/**
 * Filters → draft: a policy for the VMs of each filter that no other refers to. libvirt asks two layers after each other, Ethernet (ebtables) and IP
 * (iptables), each in the order of priorities; what neither refuses passes.
 */
import type { Chain, ChainRule, Hook, Match, Target } from '../chains/chain.ts'
import { matchAll } from '../chains/chain.ts'
import { type FlatRule, flattenChains } from '../chains/flatten.ts'
import { readReplies } from '../chains/read-replies.ts'
import { anyOfFamily } from '../document/address-set.ts'
import type { DraftDocument, DraftGroup, DraftPolicy, DraftRule } from '../document/draft.ts'
import { createNamer } from '../document/namer.ts'
import { isWholeProtocols } from '../document/service-set.ts'
import type { Report } from '../report.ts'
import { findBuiltIn } from './built-in.ts'
import type { NwFilter, NwRule } from './model.ts'
import { layerOf, readRule, type View } from './read-rule.ts'

/** Rules of one VM, all references followed. */
const instanceLimit = 10_000

export function nwfilterToDraft(
  filters: readonly NwFilter[],
  options: { readonly tenant: string },
  report: Report,
): DraftDocument | null {
  const byName = new Map<string, NwFilter>()
  for (const filter of filters) {
    if (byName.has(filter.name)) {
      report.add('import.same-name', filter.place, { name: filter.name })
      return null
    }
    byName.set(filter.name, filter)
  }
  const referred = new Set(filters.flatMap(({ items }) => items.flatMap((item) => (item.kind === 'ref' ? [item.filter] : [])))) // prettier-ignore
  const roots = filters.filter((filter) => !referred.has(filter.name))
  const [first] = filters
  if (roots.length === 0 && first !== undefined) {
    report.add('import.chain-loop', first.place, { chain: first.name })
    return null
  }
  const namer = createNamer()
  const groups: DraftGroup[] = []
  const policies: DraftPolicy[] = []
  for (const root of roots) {
    const name = namer.name(root.name, 'filter')
    const placed = collect(root, byName, report)
    const rules = placed === null ? null : toRules(placed, name, report)
    if (rules === null) return null
    groups.push({ name, kind: 'labels', labels: [['nwfilter', name]] })
    policies.push({ name, rules })
  }
  return {
    tenants: [{ name: options.tenant, groups, policies }],
    hints: groups.map(({ name }) => ({ tenant: options.tenant, label: 'nwfilter', value: name, of: `VMs with filter ${name}` })), // prettier-ignore
  }
}

/** A rule with the filter it stands in and the values of its variables. */
interface Placed {
  readonly rule: NwRule
  readonly filter: NwFilter
  readonly variables: View['variables']
}

function collect(root: NwFilter, byName: ReadonlyMap<string, NwFilter>, report: Report): readonly Placed[] | null {
  const placed: Placed[] = []
  let broken = false
  const visit = (filter: NwFilter, variables: View['variables'], path: readonly string[]): void => {
    if (broken) return
    for (const item of filter.items) {
      if (placed.length > instanceLimit || path.length > 50) {
        report.add('import.too-many', filter.place, { limit: instanceLimit })
        broken = true
        return
      }
      if (item.kind === 'rule') {
        placed.push({ rule: item, filter, variables })
        continue
      }
      if (path.includes(item.filter)) {
        report.add('import.chain-loop', item.place, { chain: item.filter })
        broken = true
        return
      }
      const called = byName.get(item.filter) ?? findBuiltIn(item.filter, item.place)
      if (called === null) {
        // it may refuse anything
        report.add('import.closed', item.place, { reason: 'import-filter', detail: item.filter })
        const rule: NwRule = { kind: 'rule', action: 'drop', direction: 'inout', priority: -1000, statematch: true, protocol: null, attributes: {}, place: item.place } // prettier-ignore
        placed.push({ rule, filter: { ...filter, chain: 'root', chainPriority: 0 }, variables })
        continue
      }
      const inner = new Map(variables)
      for (const [name] of item.parameters) inner.set(name, item.parameters.filter(([other]) => other === name).map(([, value]) => value)) // prettier-ignore
      visit(called, inner, [...path, item.filter])
    }
  }
  visit(root, new Map(), [root.name])
  return broken ? null : placed
}

function toRules(placed: readonly Placed[], guest: string, report: Report): readonly DraftRule[] | null {
  const rules: DraftRule[] = []
  for (const direction of ['in', 'out'] as const) {
    for (const family of [4, 6] as const) {
      const within: Match = { ...matchAll, source: anyOfFamily[family], destination: anyOfFamily[family] }
      const hooks = toHooks(placed, direction, family, report)
      const back = toHooks(placed, direction === 'in' ? 'out' : 'in', family, null)
      const answers = readReplies(back, within)
      const flat = flattenChains({ hooks, within, world: 'new', stateless: false, report })
      if (flat === null) return null
      const answered = answers.pass && answers.drops.length === 0
      for (const rule of flat) rules.push(toDraftRule(rule, direction, guest, answered))
    }
  }
  return rules
}

function toHooks(
  placed: readonly Placed[],
  direction: View['direction'],
  family: 4 | 6,
  report: Report | null,
): readonly Hook[] {
  const chainsOf = (layer: View['layer']): ReadonlyMap<string, Chain> => {
    const queues = new Map<string, Queued[]>([['root', []]])
    for (const one of placed) {
      if (layerOf(one.rule) !== layer) continue
      const chain = layer === 'ip' ? 'root' : one.filter.chain
      if (!queues.has(chain)) {
        queues.set(chain, [])
        const jump = toJump(one.filter, family)
        if (jump !== null) queues.get('root')?.push({ priority: one.filter.chainPriority, rule: jump })
      }
      const view: View = { direction, family, layer, variables: one.variables }
      for (const rule of toChainRules(one, view, report)) queues.get(chain)?.push({ priority: one.rule.priority, rule })
    }
    return new Map([...queues].map(([name, queue]) => [name, toChain(name, queue)]))
  }
  return [
    { chains: chainsOf('ethernet'), chain: 'root' },
    { chains: chainsOf('ip'), chain: 'root' },
  ]
}

interface Queued {
  readonly priority: number
  readonly rule: ChainRule
}

function toChain(name: string, queue: readonly Queued[]): Chain {
  const rules = queue.toSorted((a, b) => a.priority - b.priority).map(({ rule }) => rule)
  const place = rules[0]?.place ?? { file: '', line: 1, column: 1 }
  return { rules, policy: name === 'root' ? 'accept' : null, place }
}

/** Null: no IP packet of the family enters such a chain. */
function toJump(filter: NwFilter, family: 4 | 6): ChainRule | null {
  const base = filter.chain.split('-')[0] ?? ''
  const enters = base === 'mac' || base === (family === 4 ? 'ipv4' : 'ipv6')
  return enters ? { match: matchAll, unknown: [], target: { kind: 'jump', chain: filter.chain }, place: filter.place } : null // prettier-ignore
}

const targets: Readonly<Record<NwRule['action'], Target>> = {
  accept: { kind: 'accept' },
  drop: { kind: 'drop' },
  reject: { kind: 'reject' },
  return: { kind: 'return' },
  continue: { kind: 'none' },
}

function toChainRules({ rule, variables }: Placed, view: View, report: Report | null): readonly ChainRule[] {
  const read = readRule(rule, { ...view, variables })
  const comment = rule.attributes['comment']
  const common = { place: rule.place, ...(comment === undefined ? {} : { comment }) }
  if (read !== null) {
    const stateless = rule.action === 'accept' && (!rule.statematch || rule.attributes['state'] !== undefined)
    return [{ ...read, ...common, target: targets[rule.action], ...(stateless ? { stateless: true } : {}) }]
  }
  // a refusal of one way stops the answers of the other too: refuse what begins them
  const refuses = rule.action === 'drop' || rule.action === 'reject'
  if (!refuses || rule.direction === 'inout' || rule.direction === view.direction) return []
  const away = readRule(rule, { ...view, variables, direction: rule.direction })
  if (away === null || away.states?.has('established') === false) return []
  if (!isWholeProtocols(away.match.service)) {
    report?.add('import.reply-passes', rule.place, {})
    return []
  }
  report?.add('import.reply-refused', rule.place, {})
  const { source, destination, service } = away.match
  return [{ match: { source: destination, destination: source, service }, unknown: away.unknown, ...common, target: { kind: 'drop' } }] // prettier-ignore
}

function toDraftRule(rule: FlatRule, direction: View['direction'], guest: string, answered: boolean): DraftRule {
  const { source, destination, service } = rule.match
  return {
    name: rule.policyOf === undefined ? (rule.comment ?? `line-${rule.place.line}-${direction}`) : `rest-${direction}`,
    ...(rule.comment === undefined ? {} : { description: rule.comment }),
    from: { kind: 'set', set: source },
    to: { kind: 'set', set: destination },
    service,
    direction: direction === 'in' ? 'ingress' : 'egress',
    appliedTo: [guest],
    action: rule.action !== 'accept' ? rule.action : rule.stateless && !answered ? 'allow-stateless' : 'allow',
    log: false,
    ...(rule.policyOf === undefined ? { place: rule.place } : {}),
  }
}
