/**
 * The files of one iptables host → draft. In a guest's own files INPUT and OUTPUT are its two directions; in a hypervisor's files FORWARD is asked for
 * what every VM sends and receives. What protects the hypervisor itself (its INPUT and OUTPUT) has no equal.
 */
import type { Direction, SourcePlace } from '@hyperward/model'

import { type Hook, type Match, matchAll } from '../chains/chain.ts'
import { type FlatRule, flattenChains } from '../chains/flatten.ts'
import { readReplies } from '../chains/read-replies.ts'
import { type AddressSet, anyAddress, anyOfFamily, isAnyAddress, toAddressSet } from '../document/address-set.ts'
import type { DraftDocument, DraftGroup, DraftRule, DraftSide } from '../document/draft.ts'
import { createNamer } from '../document/namer.ts'
import { isWholeProtocols } from '../document/service-set.ts'
import type { ImportOptions } from '../import-options.ts'
import type { Report } from '../report.ts'
import type { IpsetFile, IptablesFile } from './model.ts'
import { type ChainScope, toChains } from './to-chains.ts'

type View = NonNullable<ImportOptions['view']>

/** The chains a packet meets, per direction, in the kernel's order (netfilter hook priorities). */
const hookOrder: Readonly<Record<'ingress' | 'egress' | 'forward', readonly (readonly [string, string])[]>> = {
  ingress: [
    ['raw', 'PREROUTING'],
    ['mangle', 'PREROUTING'],
    ['nat', 'PREROUTING'],
    ['mangle', 'INPUT'],
    ['filter', 'INPUT'],
    ['security', 'INPUT'],
  ],
  egress: [
    ['raw', 'OUTPUT'],
    ['mangle', 'OUTPUT'],
    ['nat', 'OUTPUT'],
    ['filter', 'OUTPUT'],
    ['security', 'OUTPUT'],
    ['mangle', 'POSTROUTING'],
  ],
  forward: [
    ['raw', 'PREROUTING'],
    ['mangle', 'PREROUTING'],
    ['nat', 'PREROUTING'],
    ['mangle', 'FORWARD'],
    ['filter', 'FORWARD'],
    ['security', 'FORWARD'],
    ['mangle', 'POSTROUTING'],
  ],
}

export function iptablesToDraft(
  rules: readonly IptablesFile[],
  sets: readonly IpsetFile[],
  options: Required<Pick<ImportOptions, 'tenant' | 'name'>> & ImportOptions,
  report: Report,
): DraftDocument | null {
  const view = options.view ?? guessView(rules, report)
  if (view === null) return null
  const families = new Set<4 | 6>()
  const groups: DraftGroup[] = []
  const namer = createNamer()
  const guest = namer.name(options.name, 'machine')
  if (view === 'guest') groups.push({ name: guest, kind: 'labels', labels: [['firewall', guest]] })
  const known = nameSets(sets, namer, groups)
  const drafts: DraftRule[] = []
  for (const file of rules) {
    const start: SourcePlace = { file: file.file, line: 1, column: 1 }
    if (families.has(file.family)) {
      report.add('import.same-name', start, { name: `IPv${file.family}` })
      return null
    }
    families.add(file.family)
    // a hypervisor forwards between two cards, and which of them is the VM's depends on the packet
    const interfaces = view === 'guest' ? (options.interfaces ?? null) : null
    const scope: ChainScope = { family: file.family, sets: known, interfaces, report }
    const found = view === 'guest' ? toGuestRules(file, scope, guest) : toHostRules(file, scope)
    if (found === null) return null
    for (const rule of found) drafts.push(rule)
  }
  for (const family of [4, 6] as const) {
    if (families.has(family)) continue
    report.add('import.one-family', rules[0] === undefined ? undefined : { file: rules[0].file, line: 1, column: 1 }, { family: `IPv${family}` }) // prettier-ignore
    drafts.push(closeFamily(family, view === 'guest' ? guest : null))
  }
  const used = new Set(drafts.flatMap((rule) => [rule.from, rule.to].flatMap(groupOf)))
  return {
    tenants: [
      {
        name: options.tenant,
        groups: groups.filter((group) => group.kind === 'labels' || used.has(group.name)),
        policies: [{ name: guest, rules: drafts }],
      },
    ],
    hints: view === 'guest' ? [{ tenant: options.tenant, label: 'firewall', value: guest, of: rules.map((one) => one.file).join(', ') }] : [], // prettier-ignore
  }
}

function groupOf(side: DraftSide): readonly string[] {
  if (side.kind === 'groups') return side.groups
  return side.set.group === undefined ? [] : [side.set.group]
}

function nameSets(
  files: readonly IpsetFile[],
  namer: ReturnType<typeof createNamer>,
  groups: DraftGroup[],
): ReadonlyMap<string, AddressSet | null> {
  const known = new Map<string, AddressSet | null>()
  for (const { name, members } of files.flatMap((file) => file.sets)) {
    if (members === null || known.has(name)) {
      // two sets of one name: nobody can say which is meant
      known.set(name, null)
      continue
    }
    const set = toAddressSet(members.include, members.except)
    if (set.include.length === 0) {
      known.set(name, set)
      continue
    }
    const group = namer.name(name, 'set')
    known.set(name, { ...set, group })
    groups.push({ name: group, kind: 'networks', set })
  }
  return known
}

/** Which chains are meant is not guessed where both kinds are in use. */
function guessView(files: readonly IptablesFile[], report: Report): View | null {
  const uses = (...names: readonly string[]): boolean =>
    files.some(({ tables }) =>
      names.some((name) => {
        const chain = tables.get('filter')?.get(name)
        return chain !== undefined && (chain.rules.length > 0 || chain.policy === 'drop')
      }),
    )
  const [guest, host] = [uses('INPUT', 'OUTPUT'), uses('FORWARD')]
  if (guest && host) {
    report.add('import.view-unclear', files[0] === undefined ? undefined : { file: files[0].file, line: 1, column: 1 }, {}) // prettier-ignore
    return null
  }
  return host ? 'host' : 'guest'
}

function toHooks(file: IptablesFile, scope: ChainScope, direction: keyof typeof hookOrder): readonly Hook[] {
  const tables = new Map<string, Hook['chains']>()
  return hookOrder[direction].flatMap(([table, chain]) => {
    if (file.tables.get(table)?.has(chain) !== true) return []
    const chains = tables.get(table) ?? toChains(file.tables, table, scope)
    tables.set(table, chains)
    return [{ chains, chain, ...(table === 'nat' ? { newOnly: true as const } : {}) }]
  })
}

function toGuestRules(file: IptablesFile, scope: ChainScope, guest: string): readonly DraftRule[] | null {
  const hooks = { ingress: toHooks(file, scope, 'ingress'), egress: toHooks(file, scope, 'egress') }
  const forward = file.tables.get('filter')?.get('FORWARD')
  if (forward !== undefined && forward.rules.length > 0)
    scope.report.add('import.ignored', forward.place, { reason: 'import-forward', detail: 'FORWARD' })
  return toRules(scope, [
    { direction: 'ingress', hooks: hooks.ingress, replies: hooks.egress, guest },
    { direction: 'egress', hooks: hooks.egress, replies: hooks.ingress, guest },
  ])
}

function toHostRules(file: IptablesFile, scope: ChainScope): readonly DraftRule[] | null {
  const hooks = toHooks(file, scope, 'forward')
  for (const name of ['INPUT', 'OUTPUT']) {
    const chain = file.tables.get('filter')?.get(name)
    if (chain !== undefined && (chain.rules.length > 0 || chain.policy === 'drop'))
      scope.report.add('import.ignored', chain.place, { reason: 'import-host-rules', detail: name })
  }
  return toRules(scope, [{ direction: 'both', hooks, replies: hooks, guest: null }])
}

interface Way {
  readonly direction: Direction | 'both'
  readonly hooks: readonly Hook[]
  /** What the answers of connections admitted here meet. */
  readonly replies: readonly Hook[]
  readonly guest: string | null
}

function toRules(scope: ChainScope, ways: readonly Way[]): readonly DraftRule[] | null {
  const { family, report } = scope
  const within: Match = { ...matchAll, source: anyOfFamily[family], destination: anyOfFamily[family] }
  const rules: DraftRule[] = []
  const judged = ways.map((way) => ({ way, answers: readReplies(way.replies, within) }))
  // chains that never ask for the state judge every packet by itself, and allow-stateless says just that
  const tracked = judged.some(({ answers }) => answers.tracked)
  for (const { way, answers } of judged) {
    const answered = answers.pass && (tracked || answers.drops.length === 0)
    const flat = flattenChains({ hooks: way.hooks, within, world: 'new', stateless: !answered, report })
    if (flat === null) return null
    const place = way.hooks.at(-1)
    if (!answered && flat.some((rule) => rule.action === 'accept'))
      report.add('import.stateless', place?.chains.get(place.chain)?.place, { chain: place?.chain ?? '' })
    if (answered) for (const rule of mirrorDrops(answers.drops, way, report)) rules.push(rule)
    for (const rule of flat) rules.push(toDraftRule(rule, way, answered))
    if (way.hooks.length === 0) rules.push(allowAll(family, way))
  }
  return rules
}

/** No chain of a direction is in the file: the kernel lets everything through there. */
function allowAll(family: 4 | 6, { direction, guest }: Way): DraftRule {
  return {
    name: `accept-${direction}-ipv${family}`,
    from: { kind: 'set', set: anyOfFamily[family] },
    to: { kind: 'set', set: anyAddress },
    service: null,
    direction,
    ...(guest === null ? {} : { appliedTo: [guest] }),
    action: 'allow',
    log: false,
  }
}

/**
 * Answers that the chains refuse though the connection began the other way. Where the refusal says addresses and protocols only, the connections
 * whose answers it stops are refused at their beginning; where it says ports, those are ports of the answer, which our language does not look at.
 */
function mirrorDrops(drops: readonly FlatRule[], way: Way, report: Report): readonly DraftRule[] {
  return drops.flatMap((rule) => {
    if (!isWholeProtocols(rule.match.service)) {
      report.add('import.reply-passes', rule.place, {})
      return []
    }
    report.add('import.reply-refused', rule.place, {})
    const { source, destination, service } = rule.match
    const mirrored: FlatRule = { ...rule, match: { source: destination, destination: source, service } }
    return [{ ...toDraftRule(mirrored, way, true), name: `replies-line-${rule.place.line}` }]
  })
}

function toDraftRule(rule: FlatRule, { direction, guest }: Way, stateful: boolean): DraftRule {
  const chain = rule.policyOf
  const action = rule.action === 'accept' ? (stateful ? 'allow' : 'allow-stateless') : rule.action
  return {
    name: chain === undefined ? (rule.comment ?? `line-${rule.place.line}`) : `${chain}-policy`,
    ...(rule.comment === undefined ? {} : { description: rule.comment }),
    from: { kind: 'set', set: trim(rule.match.source) },
    to: { kind: 'set', set: trim(rule.match.destination) },
    service: rule.match.service,
    direction,
    ...(guest === null ? {} : { appliedTo: [guest] }),
    action,
    log: false,
    place: rule.place,
  }
}

function trim(set: AddressSet): AddressSet {
  return isAnyAddress(set) ? anyAddress : set
}

/** Nothing was said about a family: nothing of it passes. */
function closeFamily(family: 4 | 6, guest: string | null): DraftRule {
  return {
    name: `no-ipv${family}-file`,
    from: { kind: 'set', set: anyOfFamily[family] },
    to: { kind: 'set', set: anyAddress },
    service: null,
    direction: 'both',
    ...(guest === null ? {} : { appliedTo: [guest] }),
    action: 'drop',
    log: false,
  }
}
