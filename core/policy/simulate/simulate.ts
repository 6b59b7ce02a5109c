/** Recorded connections under a draft: which would fare otherwise than before, how often they come, and whom that concerns. */
import type { FlowRecord, Packet, RuleRef, TenantName } from '@hyperward/model'

import { compareText } from '../resolve/compare-text.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import type { FlowVerdict } from '../explain/combine-verdicts.ts'
import { createJudge } from '../explain/create-judge.ts'
import { createHolderLookup } from './create-holder-lookup.ts'

/** `breaks`: passed and would be refused. `opens`: was refused and would pass. `differs`: passes or is refused in another way. */
export type ChangeKind = 'breaks' | 'opens' | 'differs'

export interface SimulatedParty {
  /** `tenant/vm`, or the address of no endpoint. */
  readonly name: string
  readonly tenant: TenantName | null
}

export interface SimulatedFate {
  /** `recorded-…`: as it was seen, when there is no policy to compare with. */
  readonly verdict: FlowVerdict | 'recorded-passed' | 'recorded-refused'
  /** Null = the default drop, nothing enforced, or only recorded. */
  readonly rule: RuleRef | null
}

/** All that was seen between two parties with one service and would change in one way. */
export interface SimulatedChange {
  readonly kind: ChangeKind
  readonly source: SimulatedParty
  readonly destination: SimulatedParty
  readonly protocol: number
  /** Destination port or ICMP type; null for protocols that have neither. */
  readonly port: number | null
  readonly before: SimulatedFate
  readonly after: SimulatedFate
  readonly connections: number
  readonly first: string
  readonly last: string
}

export interface Simulation {
  /** Worst first: what breaks, what opens, what differs; of each the most frequent first. */
  readonly changes: readonly SimulatedChange[]
  readonly records: number
  readonly connections: number
  /** Connections that would change, by kind. */
  readonly changed: Readonly<Record<ChangeKind, number>>
  /** Endpoints' owners that a change concerns, sorted. */
  readonly vms: readonly string[]
  readonly tenants: readonly TenantName[]
}

/** `before` null: compared with what was recorded. Both must be resolved over one inventory. */
export function simulate(
  before: ResolvedPolicy | null,
  draft: ResolvedPolicy,
  flows: readonly FlowRecord[],
): Simulation {
  const judgeBefore = before === null ? null : toFateJudge(before)
  const judgeAfter = toFateJudge(draft)
  const partyOf = createPartyNamer(draft)
  const changes = new Map<string, SimulatedChange>()
  let connections = 0
  for (const flow of flows) {
    connections += flow.count
    const after = judgeAfter(flow.packet)
    const parts = judgeBefore === null ? splitRecorded(flow) : [{ fate: judgeBefore(flow.packet), count: flow.count }]
    for (const { fate, count } of parts) {
      const kind = count === 0 ? null : kindOf(fate, after)
      if (kind === null) continue
      const { source, destination, protocol, port = null } = flow.packet
      const [from, to] = [partyOf(source), partyOf(destination)]
      const key = [
        kind,
        from.name,
        to.name,
        protocol,
        port,
        ...[fate, after].flatMap((one) => [one.verdict, one.rule]),
      ].join('\n')
      const known = changes.get(key)
      changes.set(key, {
        kind,
        source: from,
        destination: to,
        protocol,
        port,
        before: fate,
        after,
        connections: (known?.connections ?? 0) + count,
        first: known === undefined || flow.first < known.first ? flow.first : known.first,
        last: known === undefined || flow.last > known.last ? flow.last : known.last,
      })
    }
  }
  const sorted = [...changes.values()].sort(compareChanges)
  const parties = sorted.flatMap((change) => [change.source, change.destination]).filter((one) => one.tenant !== null)
  return {
    changes: sorted,
    records: flows.length,
    connections,
    changed: { breaks: sum(sorted, 'breaks'), opens: sum(sorted, 'opens'), differs: sum(sorted, 'differs') },
    vms: [...new Set(parties.map((one) => one.name))].sort(compareText),
    tenants: [...new Set(parties.flatMap((one) => one.tenant ?? []))].sort(compareText),
  }
}

function toFateJudge(resolved: ResolvedPolicy): (packet: Packet) => SimulatedFate {
  const judge = createJudge(resolved)
  return (packet) => {
    const { verdict, decidedBy } = judge(packet)
    return { verdict, rule: decidedBy?.rule.ref ?? null }
  }
}

function createPartyNamer({ inventory }: ResolvedPolicy): (address: Packet['source']) => SimulatedParty {
  const holderOf = createHolderLookup(inventory)
  return (address) => {
    const holder = holderOf(address)
    if (holder === null) return { name: address, tenant: null }
    return { name: `${holder.tenant}/${holder.vm.name}`, tenant: holder.tenant }
  }
}

function splitRecorded({
  count,
  refused,
}: FlowRecord): readonly { readonly fate: SimulatedFate; readonly count: number }[] {
  return [
    { fate: { verdict: 'recorded-passed', rule: null }, count: count - refused },
    { fate: { verdict: 'recorded-refused', rule: null }, count: refused },
  ]
}

/** Null when nothing changes for those who talk. */
function kindOf(before: SimulatedFate, after: SimulatedFate): ChangeKind | null {
  const [was, will] = [passes(before), passes(after)]
  if (was !== will) return was ? 'breaks' : 'opens'
  const recorded = before.verdict === 'recorded-passed' || before.verdict === 'recorded-refused'
  return recorded || before.verdict === after.verdict ? null : 'differs'
}

function passes({ verdict }: SimulatedFate): boolean {
  return verdict !== 'drop' && verdict !== 'reject' && verdict !== 'recorded-refused'
}

const kinds: readonly ChangeKind[] = ['breaks', 'opens', 'differs']

function compareChanges(a: SimulatedChange, b: SimulatedChange): number {
  return (
    kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
    b.connections - a.connections ||
    compareText(a.source.name, b.source.name) ||
    compareText(a.destination.name, b.destination.name) ||
    a.protocol - b.protocol ||
    (a.port ?? 0) - (b.port ?? 0)
  )
}

function sum(changes: readonly SimulatedChange[], kind: ChangeKind): number {
  return changes.reduce((all, change) => (change.kind === kind ? all + change.connections : all), 0)
}
