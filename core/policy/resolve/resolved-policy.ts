import type {
  AddressIdentity,
  Diagnostic,
  EndpointId,
  HostName,
  Identity,
  Inventory,
  PlannedEndpoint,
  Policy,
  PrefixIdentity,
  TenantName,
  Vm,
} from '@hyperward/model'

import type { ClaimTable } from './claim-table.ts'
import type { ClassNumbers } from './class-numbers.ts'
import type { PolicyIndex } from './policy-index.ts'
import type { LeafSet, SignatureTable } from './signature-table.ts'

/** A policy with its names filled from one inventory: every address is in one identity class. Immutable. */
export interface ResolvedPolicy {
  readonly policy: Policy
  readonly inventory: Inventory
  readonly index: PolicyIndex
  /** Every identity class that has an address or a network, and the world; ascending by identity. */
  readonly classes: readonly IdentityClass[]
  readonly addresses: readonly AddressIdentity[]
  readonly networks: readonly PrefixIdentity[]
  readonly zones: ReadonlyMap<TenantName, number>
  /** Sorted by name. */
  readonly hosts: readonly ResolvedHost[]
  /** What in the inventory was left out, and why (an address claimed twice belongs to nobody). */
  readonly problems: readonly Diagnostic[]
  /** Kept for the next {@link ResolvedPolicy}; of no use to others. */
  readonly records: ResolveRecords
}

export interface ResolvedHost {
  readonly name: HostName
  /** Sorted by id. */
  readonly endpoints: readonly PlannedEndpoint[]
  /** Tenants with an endpoint here, sorted. */
  readonly tenants: readonly TenantName[]
  /** Identities of the endpoints' addresses, ascending, once each. */
  readonly locals: readonly IdentityClass[]
  /** Of the endpoints' addresses, once each; kept for the next resolution, as are its VMs, in no order. */
  readonly leafSets: readonly LeafSet[]
  readonly records: readonly VmRecord[]
}

/** Addresses that no rule tells apart. */
export interface IdentityClass {
  readonly identity: Identity
  readonly signature: ClassSignature
}

/** What tells a class from others: whose endpoints, and which sides of rules they are in. One object per content within a {@link PolicyIndex}. */
export interface ClassSignature {
  /** Owner of the endpoints; null for addresses of no endpoint. */
  readonly tenant: TenantName | null
  /** Every side that holds these addresses. Sides of the form "any but" hold most. */
  readonly sides: ReadonlySet<number>
  /** Sides in which these addresses are and the world is not, or the other way round: where rules can tell the two apart. */
  readonly unlikeWorld: ReadonlySet<number>
  readonly key: string
}

export interface ResolveRecords {
  /** In the inventory's order. */
  readonly vms: readonly VmRecord[]
  readonly claims: ClaimTable
  readonly numbers: ClassNumbers
  readonly signatures: SignatureTable
}

export interface VmRecord {
  readonly vm: Vm
  readonly endpoints: readonly PlannedEndpoint[]
  readonly claims: readonly Claim[]
}

export interface Claim {
  readonly address: AddressIdentity['address']
  readonly endpoint: EndpointId
  readonly leafSet: LeafSet
}
