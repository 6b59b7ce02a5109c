/** Chains as iptables and nwfilter have them: rules asked in order, jumps, returns. The language of both importers' middle stage. */
import type { SourcePlace } from '@hyperward/model'

import { type AddressSet, anyAddress, intersectSets, isEmptySet, sameSet } from '../document/address-set.ts'
import { intersectServices, isEmptyService, sameService, type ServiceSet } from '../document/service-set.ts'
import type { Reason } from '../report.ts'

/** The part of a condition that our language has. */
export interface Match {
  readonly source: AddressSet
  readonly destination: AddressSet
  readonly service: ServiceSet
}

/** The part that it has not. */
export interface Unknown {
  readonly reason: Reason
  readonly detail: string
}

/** As connection tracking calls them; here only the first two are worlds of their own. */
export type State = 'new' | 'established' | 'related' | 'invalid' | 'untracked'

export type Target =
  | { readonly kind: 'accept' | 'drop' | 'reject' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** Decides nothing: a counter, a log line. */
  | { readonly kind: 'none' }
  /** May keep, change or hand away the packet: what it concerns is refused. */
  | { readonly kind: 'closed'; readonly why: Unknown }

export interface ChainRule {
  readonly match: Match
  /** Conditions that may or may not hold. */
  readonly unknown: readonly Unknown[]
  /** Absent = every state. */
  readonly states?: ReadonlySet<State>
  /** An accept that lets no replies through by itself. */
  readonly stateless?: true
  readonly target: Target
  readonly place: SourcePlace
  readonly comment?: string
}

export interface Chain {
  readonly rules: readonly ChainRule[]
  /** Of a chain that packets enter by themselves: what its end means. */
  readonly policy: 'accept' | 'drop' | null
  readonly place: SourcePlace
}

/** The chains that one packet is asked by, one after the other; each has to accept it. */
export interface Hook {
  readonly chains: ReadonlyMap<string, Chain>
  readonly chain: string
  /** Asked only for what begins a connection (NAT). */
  readonly newOnly?: true
}

export const matchAll: Match = { source: anyAddress, destination: anyAddress, service: null }

/** Null when nothing matches both. */
export function intersectMatches(a: Match, b: Match): Match | null {
  const source = intersectSets(a.source, b.source)
  const destination = intersectSets(a.destination, b.destination)
  const service = intersectServices(a.service, b.service)
  return isEmptySet(source) || isEmptySet(destination) || isEmptyService(service)
    ? null
    : { source, destination, service }
}

export function sameMatch(a: Match, b: Match): boolean {
  return sameSet(a.source, b.source) && sameSet(a.destination, b.destination) && sameService(a.service, b.service)
}
