/**
 * A cluster's firewall files → draft: one policy a guest, its security groups written out in place, its default policies as last rules.
 * Rules of the cluster and of hosts protect hypervisors, not guests: they have no equal.
 */
import type { SourcePlace } from '@hyperward/model'

import type { Unknown } from '../chains/chain.ts'
import { type AddressSet, anyAddress, isEmptySet } from '../document/address-set.ts'
import type { DraftDocument, DraftPolicy, DraftRule } from '../document/draft.ts'
import { createNamer } from '../document/namer.ts'
import { isEmptyService, type ServiceSet } from '../document/service-set.ts'
import { matchesInterface } from '../match-interface.ts'
import type { Report } from '../report.ts'
import { type AddressScope, createAddressScope, type Groups } from './address-scope.ts'
import type { PveFile, PveLine, PveRule } from './model.ts'
import { readServices } from './read-services.ts'

export interface ProxmoxOptions {
  readonly tenant: string
  readonly interfaces?: readonly string[]
}

export function proxmoxToDraft(
  files: readonly PveFile[],
  options: ProxmoxOptions,
  report: Report,
): DraftDocument | null {
  const clusters = files.filter((file) => file.role.kind === 'cluster')
  const guests = files.flatMap((file) => (file.role.kind === 'guest' ? [{ file, vmid: file.role.vmid }] : []))
  const cluster = clusters[0] ?? null
  const double = clusters[1]?.file ?? guests.find(({ vmid }, at) => guests.findIndex((other) => other.vmid === vmid) < at)?.file.file // prettier-ignore
  if (double !== undefined) {
    report.add('import.same-name', { file: double, line: 1, column: 1 }, { name: double })
    return null
  }
  for (const file of files) if (file.role.kind !== 'guest') tellHostRules(file, report)
  if (cluster !== null) tellOff(cluster, 'cluster.fw', report)

  const groups: Groups = { namer: createNamer(), made: new Map() }
  const sorted = guests.toSorted((a, b) => Number(a.vmid) - Number(b.vmid))
  for (const { vmid } of sorted) {
    const name = groups.namer.name(`vm-${vmid}`, 'vm')
    groups.made.set(`vm/${vmid}`, { name, kind: 'labels', labels: [['vmid', vmid]] })
  }
  const policies = sorted.map(({ file, vmid }) => toPolicy(file, `vm-${vmid}`, { cluster, groups, options, report }))
  return {
    tenants: [{ name: options.tenant, groups: [...groups.made.values()], policies }],
    hints: sorted.map(({ vmid }) => ({ tenant: options.tenant, label: 'vmid', value: vmid, of: `VM ${vmid}` })),
  }
}

interface Context {
  readonly cluster: PveFile | null
  readonly groups: Groups
  readonly options: ProxmoxOptions
  readonly report: Report
}

function toPolicy(file: PveFile, name: string, context: Context): DraftPolicy {
  const { cluster, report } = context
  tellOff(file, name, report)
  tellOptions(file, report)
  const scope = createAddressScope(cluster, file, context.groups)
  const rules: DraftRule[] = []
  const black = cluster?.sets.get('blacklist')
  if (black !== undefined) {
    // dropped for every guest before its own rules
    const rule: PveRule = { direction: 'IN', macro: null, action: 'DROP', options: { source: '+dc/blacklist' }, place: black.place } // prettier-ignore
    rules.push(...toRules(rule, undefined, name, scope, context))
  }
  for (const line of file.rules) for (const rule of toLineRules(line, name, scope, context)) rules.push(rule)
  rules.push(toPolicyRule(file, name, 'in'), toPolicyRule(file, name, 'out'))
  return { name, rules }
}

function toLineRules(line: PveLine, guest: string, scope: AddressScope, context: Context): readonly DraftRule[] {
  if (line.kind === 'rule') return toRules(line.rule, undefined, guest, scope, context)
  const { group, iface, place } = line.call
  const lines = context.cluster?.groups.get(group)
  if (lines === undefined) {
    // it may have refused something: what follows cannot be known to hold
    context.report.add('import.closed', place, { reason: 'import-group', detail: group })
    return [closeAll(guest, place)]
  }
  const inner = createAddressScope(context.cluster, null, context.groups)
  return lines.flatMap((one) => {
    if (one.kind === 'rule') return toRules(one.rule, iface, guest, inner, context)
    context.report.add('import.closed', one.call.place, { reason: 'import-group', detail: one.call.group })
    return [closeAll(guest, one.call.place)]
  })
}

function closeAll(guest: string, place: SourcePlace): DraftRule {
  const every = { kind: 'set', set: anyAddress } as const
  return { name: `line-${place.line}`, from: every, to: every, service: null, direction: 'both', appliedTo: [guest], action: 'drop', log: false, place } // prettier-ignore
}

function toRules(
  rule: PveRule,
  calledFor: string | undefined,
  guest: string,
  scope: AddressScope,
  { options, report }: Context,
): readonly DraftRule[] {
  const { place } = rule
  if (rule.direction === 'FORWARD') {
    report.add('import.ignored', place, { reason: 'import-host-rules', detail: 'FORWARD' })
    return []
  }
  const unknown: Unknown[] = []
  for (const card of [calledFor, rule.options.iface]) {
    if (card === undefined) continue
    const found = matchesInterface(card, options.interfaces ?? null)
    if (found === false) return []
    if (found === null) unknown.push({ reason: 'import-interface', detail: card })
  }
  const sides = [rule.options.source, rule.options.dest].map((text): AddressSet => {
    const set = scope.read(text)
    if (!('reason' in set)) return set
    unknown.push(set)
    return anyAddress
  })
  const [source = anyAddress, destination = anyAddress] = sides
  const ways = readServices(rule)
  return ways.flatMap(({ service, doubt }) => {
    const why = unknown[0] ?? doubt
    if (isEmptySet(source) || isEmptySet(destination) || isEmptyService(service)) return []
    if (why !== undefined) {
      const code = rule.action === 'ACCEPT' ? 'import.left-out' : 'import.broader'
      report.add(code, place, { reason: why.reason, detail: why.detail })
      if (rule.action === 'ACCEPT') return []
    }
    return [toDraftRule(rule, { guest, source, destination, service })]
  })
}

interface Meaning {
  readonly guest: string
  readonly source: AddressSet
  readonly destination: AddressSet
  readonly service: ServiceSet
}

const actions = { ACCEPT: 'allow', DROP: 'drop', REJECT: 'reject' } as const

function toDraftRule(rule: PveRule, { guest, source, destination, service }: Meaning): DraftRule {
  const log = rule.options.log
  return {
    name: rule.comment ?? `${rule.macro ?? 'line'}-${rule.place.line}`,
    ...(rule.comment === undefined ? {} : { description: rule.comment }),
    from: { kind: 'set', set: source },
    to: { kind: 'set', set: destination },
    service,
    direction: rule.direction === 'IN' ? 'ingress' : 'egress',
    appliedTo: [guest],
    action: actions[rule.action],
    log: log !== undefined && log !== 'nolog',
    place: rule.place,
  }
}

/** What a guest's rules leave open. Absent: in is dropped, out accepted. A value nobody knows refuses. */
function toPolicyRule(file: PveFile, guest: string, way: 'in' | 'out'): DraftRule {
  const written = file.options.get(`policy_${way}`)
  const value = written?.value.toUpperCase() ?? (way === 'in' ? 'DROP' : 'ACCEPT')
  const level = file.options.get(`log_level_${way}`)?.value ?? 'nolog'
  const every = { kind: 'set', set: anyAddress } as const
  return {
    name: `policy-${way}`,
    from: every,
    to: every,
    service: null,
    direction: way === 'in' ? 'ingress' : 'egress',
    appliedTo: [guest],
    action: value === 'ACCEPT' ? 'allow' : value === 'REJECT' ? 'reject' : 'drop',
    log: level !== 'nolog' && value !== 'ACCEPT',
    ...(written === undefined ? {} : { place: written.place }),
  }
}

function tellOff(file: PveFile, of: string, report: Report): void {
  const enable = file.options.get('enable')
  if (enable?.value !== '1') report.add('import.enforced-now', enable?.place ?? { file: file.file, line: 1, column: 1 }, { of }) // prettier-ignore
}

/** Options that mean here what they meant there; the rest is told. */
const takenOver = new Set(['enable', 'policy_in', 'policy_out', 'log_level_in', 'log_level_out'])

function tellOptions(file: PveFile, report: Report): void {
  for (const [name, { value, place }] of file.options) {
    if (takenOver.has(name)) continue
    // protection from forged addresses is always on here, DHCP and neighbour discovery of a client always work
    const same = (name === 'macfilter' || name === 'ipfilter' || name === 'dhcp' || name === 'ndp') && value === '1'
    if (same || (name === 'radv' && value === '0')) continue
    const spoofing = name === 'macfilter' || name === 'ipfilter'
    report.add('import.ignored', place, { reason: spoofing ? 'import-spoofing' : 'import-option', detail: `${name}: ${value}` }) // prettier-ignore
  }
  for (const [name, set] of file.sets)
    if (name.startsWith('ipfilter-'))
      report.add('import.ignored', set.place, { reason: 'import-ip-filter', detail: name })
}

function tellHostRules(file: PveFile, report: Report): void {
  for (const line of file.rules) {
    const { place } = line.kind === 'rule' ? line.rule : line.call
    report.add('import.ignored', place, { reason: 'import-host-rules', detail: file.file })
  }
  for (const [name, { value, place }] of file.options)
    if (name !== 'enable') report.add('import.ignored', place, { reason: 'import-option', detail: `${name}: ${value}` })
}
