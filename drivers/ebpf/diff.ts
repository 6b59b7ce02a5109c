/**
 * From current to desired: a few steps in the tables in force where no packet can be judged by a mixture of both, else a new generation.
 *
 * A packet reads several rows. Steps in place are safe when all but one of the changed rows cannot be reached by any packet: rows for identities that no
 * address has yet are added first, then the one reachable change is made, then rows for identities that no address has any more go. Changes of one address in
 * each family count as one, since a packet has one family. Which tap owns an address is no policy, and endpoints are opened last.
 */
import type { Address, AddressIdentity, Identity, PrefixIdentity, ServiceClass, Verdict } from '@hyperward/model'
import { anyIdentity, worldIdentity } from '@hyperward/model'

import type { EndpointRow, RuleLabel, Tables } from './desired.ts'

export interface VerdictRow {
  readonly verdict: Verdict
  readonly label: RuleLabel
  /** Of the rule in monitor mode. */
  readonly monitor: RuleLabel | null
}

export interface AddressRow {
  readonly address: Address
  readonly identity: Identity
  readonly ifindex: number
}

export type StepArgs = {
  'remove-endpoint': { readonly ifindex: number }
  'set-verdict': { readonly row: VerdictRow }
  'set-address': { readonly row: AddressRow }
  'remove-address': { readonly address: Address }
  'remove-verdict': { readonly verdict: Verdict }
  'set-endpoint': { readonly row: EndpointRow }
}
export type StepKind = keyof StepArgs
export type Step<K extends StepKind = StepKind> = { [P in K]: { readonly kind: P } & StepArgs[P] }[K]

export type Section = 'addresses' | 'networks' | 'services' | 'verdicts'

export interface Difference {
  /** Endpoints that must be closed first. */
  readonly close: readonly Step<'remove-endpoint'>[]
  /** Sections to fill anew for the other slot; empty = the generation in force is kept. */
  readonly rebuild: readonly Section[]
  /** In this order, with a new epoch between what is reachable and what is only cleared away. */
  readonly steps: readonly Step<'set-verdict' | 'remove-verdict' | 'set-address' | 'remove-address'>[]
  readonly clear: readonly Step<'remove-verdict'>[]
  readonly open: readonly Step<'set-endpoint'>[]
}

export interface Current {
  /** null = nothing loaded, or not readable: everything is filled anew. */
  readonly tables: Tables | null
  readonly endpoints: ReadonlyMap<number, EndpointRow>
}

export function diff(
  current: Current,
  desired: { tables: Tables; endpoints: ReadonlyMap<number, EndpointRow> },
): Difference {
  const close: Step<'remove-endpoint'>[] = []
  const open: Step<'set-endpoint'>[] = []
  for (const [ifindex, row] of current.endpoints) {
    if (!desired.endpoints.has(ifindex)) close.push({ kind: 'remove-endpoint', ifindex: row.ifindex })
  }
  for (const [ifindex, row] of desired.endpoints) {
    const before = current.endpoints.get(ifindex)
    if (before !== undefined && sameEndpoint(before, row)) continue
    // another endpoint behind the same tap: nothing passes until its addresses are right
    if (before !== undefined && before.endpoint !== row.endpoint) close.push({ kind: 'remove-endpoint', ifindex })
    open.push({ kind: 'set-endpoint', row })
  }
  return { close, open, ...diffTables(current.tables, desired.tables) }
}

export function isEmpty(difference: Difference): boolean {
  return stepCount(difference) === 0 && difference.rebuild.length === 0
}

export function stepCount(difference: Difference): number {
  return difference.close.length + difference.steps.length + difference.clear.length + difference.open.length
}

type TablesDifference = Pick<Difference, 'rebuild' | 'steps' | 'clear'>

function diffTables(before: Tables | null, after: Tables): TablesDifference {
  if (before === null) return { rebuild: ['addresses', 'networks', 'services', 'verdicts'], steps: [], clear: [] }
  const addresses = diffRows(before.addresses, after.addresses, (row) => row.address, sameAddressIdentity)
  const networks = diffRows(before.networks, after.networks, (row) => row.prefix, sameNetwork)
  const services = diffRows(before.services, after.services, serviceKey, sameService)
  // then equal numbers mean equal rules, and rows are compared without looking them up
  const agree = [...after.rules].every(([number, label]) => {
    const old = before.rules.get(number)
    return old === undefined || sameRule(old, label)
  })
  const verdicts = diffRows(before.verdicts, after.verdicts, verdictKey, (a, b) =>
    agree && a.rule === b.rule && a.monitor === b.monitor
      ? sameDecision(a, b)
      : sameDecision(a, b) && sameRules(before, a, after, b),
  )
  const steps = planSteps(before, after, addresses, verdicts)
  const rebuild: Section[] = []
  if (networks.size > 0) rebuild.push('networks')
  if (services.size > 0 || !sameLabel(before.rules.get(0), after.rules.get(0))) rebuild.push('services')
  if (rebuild.length === 0 && steps !== null) return { rebuild, ...steps }
  if (addresses.size > 0 || ownerChanges(before, after).length > 0) rebuild.push('addresses')
  if (verdicts.size > 0) rebuild.push('verdicts')
  return { rebuild: rebuild.sort(), steps: [], clear: [] }
}

/** null when more than one reachable thing changes. */
function planSteps(
  before: Tables,
  after: Tables,
  addresses: RowChanges<AddressIdentity>,
  verdicts: RowChanges<Verdict>,
): Pick<Difference, 'steps' | 'clear'> | null {
  const families = [...addresses.keys()].map((address) => address.includes(':'))
  if (families.filter(Boolean).length > 1 || families.filter((six) => !six).length > 1) return null
  const add: Difference['steps'][number][] = []
  const reachable: Difference['steps'][number][] = []
  const clear: Step<'remove-verdict'>[] = []
  if (verdicts.size > 0) {
    const identitiesBefore = reachableIdentities(before)
    const identitiesAfter = reachableIdentities(after)
    for (const change of verdicts.values()) {
      const verdict = change.after ?? change.before
      if (verdict === undefined) continue
      const was = isReachable(verdict, identitiesBefore)
      const will = isReachable(verdict, identitiesAfter)
      if (change.after !== undefined) {
        // out of reach now, whatever comes: it may be written first
        ;(was ? reachable : add).push({ kind: 'set-verdict', row: toVerdictRow(after, change.after) })
      } else if (was && will) reachable.push({ kind: 'remove-verdict', verdict })
      else if (will) return null
      else clear.push({ kind: 'remove-verdict', verdict })
    }
    if (reachable.length + (addresses.size > 0 ? 1 : 0) > 1) return null
  }
  const steps: Difference['steps'][number][] = [...add, ...reachable]
  const changed = new Set(addresses.keys())
  for (const [address, change] of addresses) {
    if (change.after === undefined) steps.push({ kind: 'remove-address', address: addressOf(change.before, address) })
    else steps.push({ kind: 'set-address', row: toAddressRow(after, change.after) })
  }
  const moved = ownerChanges(before, after).filter((address) => !changed.has(address))
  const identities = moved.length > 0 ? new Map(after.addresses.map((row) => [row.address, row.identity])) : null
  for (const address of moved) {
    const identity = identities?.get(address)
    // an address that is no longer listed has been removed above
    if (identity !== undefined) steps.push({ kind: 'set-address', row: toAddressRow(after, { address, identity }) })
  }
  return { steps, clear }
}

export function toAddressRow(tables: Tables, row: AddressIdentity): AddressRow {
  return { address: row.address, identity: row.identity, ifindex: tables.owners.get(row.address) ?? 0 }
}

export function toVerdictRow(tables: Tables, verdict: Verdict): VerdictRow {
  const label = labelOf(tables, verdict.rule)
  return { verdict, label, monitor: verdict.monitor === undefined ? null : labelOf(tables, verdict.monitor) }
}

function labelOf(tables: Tables, number: number): RuleLabel {
  const label = tables.rules.get(number)
  if (label === undefined) throw new Error(`a verdict names rule ${number}, which the plan does not have`)
  return label
}

function addressOf(row: AddressIdentity | undefined, key: string): Address {
  if (row === undefined) throw new Error(`no row for ${key}`)
  return row.address
}

function reachableIdentities(tables: Tables): ReadonlySet<number> {
  const set = new Set<number>([anyIdentity, worldIdentity])
  for (const row of tables.addresses) set.add(row.identity)
  for (const row of tables.networks) set.add(row.identity)
  return set
}

function isReachable(verdict: Verdict, identities: ReadonlySet<number>): boolean {
  return identities.has(verdict.local) && identities.has(verdict.peer)
}

function ownerChanges(before: Tables, after: Tables): readonly Address[] {
  const changed: Address[] = []
  for (const [address, ifindex] of after.owners) if (before.owners.get(address) !== ifindex) changed.push(address)
  for (const address of before.owners.keys()) if (!after.owners.has(address)) changed.push(address)
  return changed
}

interface RowChange<T> {
  readonly before: T | undefined
  readonly after: T | undefined
}
type RowChanges<T> = ReadonlyMap<string, RowChange<T>>

/**
 * By key; what is equal at both ends is skipped without making a key, so that a small change in a large sorted section costs little more than comparing.
 */
function diffRows<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (row: T) => string,
  same: (a: T, b: T) => boolean,
): RowChanges<T> {
  if (before === after) return new Map()
  let start = 0
  const shorter = Math.min(before.length, after.length)
  while (start < shorter && isSameAt(before, after, start, start, same)) start += 1
  let beforeEnd = before.length
  let afterEnd = after.length
  while (beforeEnd > start && afterEnd > start && isSameAt(before, after, beforeEnd - 1, afterEnd - 1, same)) {
    beforeEnd -= 1
    afterEnd -= 1
  }
  const changes = new Map<string, RowChange<T>>()
  for (const row of before.slice(start, beforeEnd)) changes.set(keyOf(row), { before: row, after: undefined })
  for (const row of after.slice(start, afterEnd)) {
    const key = keyOf(row)
    const old = changes.get(key)?.before
    if (old !== undefined && same(old, row)) changes.delete(key)
    else changes.set(key, { before: old, after: row })
  }
  return changes
}

function isSameAt<T>(
  before: readonly T[],
  after: readonly T[],
  beforeAt: number,
  afterAt: number,
  same: (a: T, b: T) => boolean,
): boolean {
  const a = before[beforeAt]
  const b = after[afterAt]
  return a !== undefined && b !== undefined && same(a, b)
}

function sameAddressIdentity(a: AddressIdentity, b: AddressIdentity): boolean {
  return a.identity === b.identity && a.address === b.address
}

function sameNetwork(a: PrefixIdentity, b: PrefixIdentity): boolean {
  return a.identity === b.identity && a.prefix === b.prefix
}

function serviceKey(row: ServiceClass): string {
  return `${row.protocol}/${row.from}`
}

function sameService(a: ServiceClass, b: ServiceClass): boolean {
  return a.protocol === b.protocol && a.from === b.from && a.to === b.to && a.class === b.class
}

export function verdictKey(row: Verdict): string {
  return `${row.direction}/${row.local}/${row.peer}/${row.class}`
}

function sameDecision(a: Verdict, b: Verdict): boolean {
  return (
    a.local === b.local &&
    a.peer === b.peer &&
    a.class === b.class &&
    a.direction === b.direction &&
    a.action === b.action
  )
}

/** By what the numbers mean: rows read back from the kernel have numbers of their own. */
function sameRules(before: Tables, a: Verdict, after: Tables, b: Verdict): boolean {
  if (!sameLabel(before.rules.get(a.rule), after.rules.get(b.rule))) return false
  if (a.monitor === undefined || b.monitor === undefined) return a.monitor === b.monitor
  const [old, label] = [before.rules.get(a.monitor), after.rules.get(b.monitor)]
  return old !== undefined && label !== undefined && sameRule(old, label)
}

/** Of a rule that decides: its action is the verdict's. */
function sameLabel(a: RuleLabel | undefined, b: RuleLabel | undefined): boolean {
  return (
    a === b || (a !== undefined && b !== undefined && a.ref === b.ref && a.log === b.log && a.logRate === b.logRate)
  )
}

function sameRule(a: RuleLabel, b: RuleLabel): boolean {
  return sameLabel(a, b) && a.action === b.action
}

function sameEndpoint(a: EndpointRow, b: EndpointRow): boolean {
  return (
    a.endpoint === b.endpoint &&
    a.mac === b.mac &&
    a.zone === b.zone &&
    a.segment === b.segment &&
    a.closed === b.closed
  )
}
