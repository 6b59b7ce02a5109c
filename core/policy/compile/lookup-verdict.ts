/** What the datapath does with a new connection, executable: the reference for drivers' tests and for `explain`. */
import {
  type Action,
  type Address,
  anyIdentity,
  type Direction,
  type HostPlan,
  type HostPlanSections,
  type Identity,
  type PlannedRule,
  prefixContains,
  toAddressValue,
  toPrefixValue,
  type Verdict,
  worldIdentity,
} from '@hyperward/model'

import { compareText } from '../resolve/compare-text.ts'

export interface FoundVerdict {
  readonly action: Action
  readonly rule: PlannedRule
  /** The rule in monitor mode that would have decided. */
  readonly monitor: PlannedRule | null
  readonly local: Identity
  readonly peer: Identity
  readonly class: number
  /** Which of the four look-ups decided; 0 = none did: the default drop. */
  readonly step: 0 | 1 | 2 | 3 | 4
}

/** `port` is the destination port or ICMP type of the connection's first packet, in both directions; absent for protocols that have neither. */
export function lookupVerdict(
  plan: HostPlan,
  direction: Direction,
  localAddress: Address,
  peerAddress: Address,
  protocol: number,
  port?: number,
): FoundVerdict {
  const local = lookupIdentity(plan.sections, localAddress)
  const peer = lookupIdentity(plan.sections, peerAddress)
  const number = lookupClass(plan, protocol, port)
  const keys = [
    [peer, number],
    [peer, 0],
    [anyIdentity, number],
    [anyIdentity, 0],
  ] as const
  for (const [at, [keyPeer, keyClass]] of keys.entries()) {
    const verdict = findVerdict(plan.sections.verdicts, { direction, local, peer: keyPeer, class: keyClass })
    if (verdict === undefined) continue
    const rule = findRule(plan, verdict.rule)
    const monitor = verdict.monitor === undefined ? null : findRule(plan, verdict.monitor)
    return { action: verdict.action, rule, monitor, local, peer, class: number, step: steps[at] ?? 0 }
  }
  const [fallback] = plan.sections.rules
  if (fallback === undefined) throw new Error('a plan without its default drop')
  return { action: 'drop', rule: fallback, monitor: null, local, peer, class: number, step: 0 }
}

const steps = [1, 2, 3, 4] as const

function findRule({ sections }: HostPlan, number: number): PlannedRule {
  const rule = sections.rules.find((one) => one.number === number)
  if (rule === undefined) throw new Error(`verdict of a rule that is not in the plan: ${number}`)
  return rule
}

export function lookupIdentity(sections: Pick<HostPlanSections, 'addresses' | 'networks'>, address: Address): Identity {
  const exact = searchSorted(sections.addresses, (entry) => compareText(entry.address, address))
  if (exact !== undefined) return exact.identity
  const value = toAddressValue(address)
  let longest = -1
  let identity = worldIdentity
  for (const entry of sections.networks) {
    const prefix = toPrefixValue(entry.prefix)
    if (prefix.length <= longest || !prefixContains(prefix, value)) continue
    longest = prefix.length
    identity = entry.identity
  }
  return identity
}

export function lookupClass({ sections }: HostPlan, protocol: number, port = 0): number {
  const found = sections.services.find((entry) => entry.protocol === protocol && entry.from <= port && port <= entry.to)
  return found?.class ?? 0
}

type VerdictKey = Pick<Verdict, 'direction' | 'local' | 'peer' | 'class'>

function findVerdict(verdicts: readonly Verdict[], key: VerdictKey): Verdict | undefined {
  return searchSorted(
    verdicts,
    (row) =>
      compareText(row.direction, key.direction) ||
      row.local - key.local ||
      row.peer - key.peer ||
      row.class - key.class,
  )
}

function searchSorted<T>(items: readonly T[], compare: (item: T) => number): T | undefined {
  let low = 0
  let high = items.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item === undefined) return undefined
    const order = compare(item)
    if (order === 0) return item
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return undefined
}
