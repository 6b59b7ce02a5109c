/**
 * Security groups → draft: a group of VMs and a policy of allow rules for each. Neutron knows no order and no refusals: what no rule allows is dropped,
 * as here. A VM may be in several groups, so each group has a label key of its own.
 */
import { parseTenantName } from '@hyperward/model'

import type { Unknown } from '../chains/chain.ts'
import { type AddressSet, anyAddress, anyOfFamily, familyOf, toAddressSet } from '../document/address-set.ts'
import type { DraftDocument, DraftGroup, DraftRule, DraftSide, LabelHint } from '../document/draft.ts'
import { createNamer, toName } from '../document/namer.ts'
import { hasPorts, type ServiceSet, wholeProtocol } from '../document/service-set.ts'
import { parseMaskedPrefix } from '../parse-prefixes.ts'
import { parseProtocol } from '../protocol-names.ts'
import type { Report } from '../report.ts'
import type { SecurityGroup, SecurityGroupRule } from './model.ts'

const memberValue = 'member'

export function openstackToDraft(
  groups: readonly SecurityGroup[],
  options: { readonly tenant: string },
  report: Report,
): DraftDocument | null {
  const known = new Map<string, Named>()
  const namers = new Map<string, ReturnType<typeof createNamer>>()
  for (const group of groups.toSorted((a, b) => compareText(a.id, b.id))) {
    if (known.has(group.id)) {
      report.add('import.same-name', group.place, { name: group.id })
      return null
    }
    const tenant = toTenant(group.project, options.tenant)
    const namer = namers.get(tenant) ?? createNamer()
    namers.set(tenant, namer)
    known.set(group.id, { group, tenant, name: namer.name(group.name, group.id) })
  }
  const tenants = [...namers.keys()].map((tenant) => {
    // where a VM is in groups of both kinds, its packets are judged one by one
    const own = [...known.values()]
      .filter((named) => named.tenant === tenant)
      .toSorted((a, b) => Number(a.group.stateful) - Number(b.group.stateful))
    return {
      name: tenant,
      groups: own.map(({ name }): DraftGroup => ({ name, kind: 'labels', labels: [[toLabel(name), memberValue]] })),
      policies: own.map((named) => ({ name: named.name, rules: mergeFamilies(toRules(named, known, report)) })),
    }
  })
  const hints = [...known.values()].map(
    ({ group, tenant, name }): LabelHint => ({ tenant, label: toLabel(name), value: memberValue, of: `VMs in security group ${group.name}` }), // prettier-ignore
  )
  return { tenants, hints }
}

interface Named {
  readonly group: SecurityGroup
  readonly tenant: string
  readonly name: string
}

function toLabel(name: string): string {
  return `security-group.${name}`
}

/** A project's id names its tenant. */
function toTenant(project: string | null, fallback: string): string {
  const name = project === null ? null : toName(project)
  return name === null || parseTenantName(name) === null || name === 'any' || name === 'provider' || name === 'common' ? fallback : name // prettier-ignore
}

function toRules(named: Named, known: ReadonlyMap<string, Named>, report: Report): readonly DraftRule[] {
  return named.group.rules.flatMap((rule) => {
    const remote = toRemote(rule, named, known)
    const service = toService(rule)
    const why = 'reason' in remote ? remote : 'doubt' in service ? service.doubt : null
    if (why !== null || 'reason' in remote || 'doubt' in service) {
      if (why !== null) report.add('import.left-out', rule.place, { reason: why.reason, detail: why.detail })
      return []
    }
    const family = rule.ethertype === 'IPv4' ? 4 : 6
    const local: DraftSide = { kind: 'set', set: anyOfFamily[family] }
    const { description } = rule
    return [
      {
        name: description === '' ? toRuleName(rule) : description,
        ...(description === '' ? {} : { description }),
        from: rule.direction === 'ingress' ? remote : local,
        to: rule.direction === 'ingress' ? local : remote,
        service: service.service,
        direction: rule.direction,
        appliedTo: [named.name],
        action: named.group.stateful ? 'allow' : 'allow-stateless',
        log: false,
        place: rule.place,
      },
    ]
  })
}

function toRuleName({ direction, protocol, portMin, portMax }: SecurityGroupRule): string {
  const ports =
    portMin === null ? '' : portMax === null || portMin === portMax ? `-${portMin}` : `-${portMin}-${portMax}`
  return `${direction}-${protocol ?? 'all'}${ports}`
}

function toRemote(rule: SecurityGroupRule, own: Named, known: ReadonlyMap<string, Named>): DraftSide | Unknown {
  const family = rule.ethertype === 'IPv4' ? 4 : 6
  if (rule.remoteAddressGroup !== null) return { reason: 'import-address-group', detail: rule.remoteAddressGroup }
  if (rule.remoteGroup !== null) {
    const other = known.get(rule.remoteGroup)
    // both at once is refused by Neutron; one of them alone would be more than was meant
    if (other === undefined || rule.remotePrefix !== null) return { reason: 'import-group', detail: rule.remoteGroup }
    if (other.tenant !== own.tenant) return { reason: 'import-remote-tenant', detail: other.group.name }
    return { kind: 'groups', groups: [other.name] }
  }
  if (rule.remotePrefix === null) return { kind: 'set', set: anyOfFamily[family] }
  const prefix = parseMaskedPrefix(rule.remotePrefix)
  const set: AddressSet | null = prefix === null ? null : toAddressSet([prefix])
  if (set === null || familyOf(set) !== family) return { reason: 'import-unknown-name', detail: rule.remotePrefix }
  return { kind: 'set', set }
}

function toService({
  protocol,
  ethertype,
  portMin,
  portMax,
}: SecurityGroupRule): { readonly service: ServiceSet } | { readonly doubt: Unknown } {
  if (protocol === null) {
    if (portMin === null && portMax === null) return { service: null }
    return { doubt: { reason: 'import-protocol', detail: 'any' } }
  }
  const named = parseProtocol(protocol)
  // Neutron takes "icmp" for the family's own
  const number = named === 1 && ethertype === 'IPv6' ? 58 : named
  if (number === null) return { doubt: { reason: 'import-protocol', detail: protocol } }
  // extension headers: what stands behind them is the protocol here
  if (ethertype === 'IPv6' && [0, 43, 44, 59, 60].includes(number)) return { doubt: { reason: 'import-protocol', detail: protocol } } // prettier-ignore
  if (portMin === null && portMax === null) return { service: [wholeProtocol(number)] }
  if (number === 1 || number === 58) {
    if (portMin === null || portMin > 255) return { doubt: { reason: 'import-icmp-type', detail: String(portMin) } }
    if (portMax !== null) return { doubt: { reason: 'import-icmp-code', detail: `${portMin}/${portMax}` } }
    return { service: [{ protocol: number, ranges: [{ from: portMin, to: portMin }] }] }
  }
  if (!hasPorts(number)) return { doubt: { reason: 'import-protocol', detail: protocol } }
  const from = portMin ?? 0
  const to = portMax ?? 65_535
  return from > to ? { service: [] } : { service: [{ protocol: number, ranges: [{ from, to }] }] }
}

/** The same rule for both families is one rule. Only allow rules stand here, so their order is free. */
function mergeFamilies(rules: readonly DraftRule[]): readonly DraftRule[] {
  const kept = rules.filter((rule) => rule.service === null || rule.service.length > 0)
  const keyOf = (rule: DraftRule): string => JSON.stringify([rule.direction, rule.service, rule.action, rule.description ?? '', sideKey(rule.from), sideKey(rule.to)]) // prettier-ignore
  const families = new Map<string, Set<4 | 6>>()
  for (const rule of kept) {
    const of = families.get(keyOf(rule)) ?? new Set()
    of.add(familyOfRule(rule))
    families.set(keyOf(rule), of)
  }
  const done = new Set<string>()
  return kept.flatMap((rule) => {
    const key = keyOf(rule)
    if (families.get(key)?.size !== 2) return [rule]
    if (done.has(key)) return []
    done.add(key)
    return [{ ...rule, from: widen(rule.from), to: widen(rule.to) }]
  })
}

function familyOfRule({ from, to }: DraftRule): 4 | 6 {
  const sides = [from, to].map((side) => (side.kind === 'set' ? familyOf(side.set) : null))
  return sides.includes(6) ? 6 : 4
}

function sideKey(side: DraftSide): unknown {
  if (side.kind === 'groups') return side.groups
  return side.set === anyOfFamily[4] || side.set === anyOfFamily[6]
    ? 'any'
    : side.set.include.map((block) => block.text)
}

function widen(side: DraftSide): DraftSide {
  if (side.kind === 'groups') return side
  return side.set === anyOfFamily[4] || side.set === anyOfFamily[6] ? { kind: 'set', set: anyAddress } : side
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
