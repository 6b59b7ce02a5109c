/**
 * Policy + inventory → identity classes. Given the result of the last time, only VMs that changed are looked at again; the outcome is the same.
 *
 * An endpoint's EUI-64 link-local address belongs to it (the datapath lets it use it), so it is listed beside the declared ones. An address that two
 * endpoints claim, declared or derived, belongs to neither: it is in no table and, as a source, forged at both. Fail closed, and said in `problems`.
 */
import {
  type AddressIdentity,
  type Host,
  type Identity,
  type Inventory,
  type PlannedEndpoint,
  type Policy,
  type PrefixIdentity,
  type TenantName,
  toIdentity,
  type Vm,
  worldIdentity,
} from '@hyperward/model'

import { toDiagnostic } from '../document/report.ts'
import { assignNumbers } from './assign-numbers.ts'
import { compareText } from './compare-text.ts'
import { linkLocalAddress } from './link-local-address.ts'
import { buildPolicyIndex, type LabelLeaf, type PolicyIndex } from './policy-index.ts'
import type {
  Claim,
  ClassSignature,
  IdentityClass,
  ResolvedHost,
  ResolvedPolicy,
  ResolveRecords,
  VmRecord,
} from './resolved-policy.ts'
import { sameVm } from './same-vm.ts'

export function resolve(policy: Policy, inventory: Inventory, previous?: ResolvedPolicy): ResolvedPolicy {
  const reusable = previous?.policy === policy ? previous : undefined
  const index = reusable?.index ?? buildPolicyIndex(policy)
  const signatures = reusable?.records.signatures ?? new Map<string, ClassSignature>()
  const toSignature = createSignatures(index, signatures)

  const { byVm, changed, gone, problems } = recordVms(inventory, index, toSignature, reusable)
  const claims = mergeClaims(reusable?.records.claims ?? [], gone, changed)
  const taken = doublyClaimed(claims)
  const networkClasses = index.networks.prefixes.map((prefix) => ({
    prefix,
    signature: prefix.leaves.length === 0 ? null : toSignature(null, prefix.leaves),
  }))
  const bySignature = numberClasses(claims, taken, networkClasses, toSignature(null, []), reusable?.records.bySignature)
  const classOf = (signature: ClassSignature): IdentityClass => {
    const found = bySignature.get(signature)
    if (found === undefined) throw new Error(`a signature without a number: ${signature.key}`)
    return found
  }
  const records: ResolveRecords = { byVm, claims, bySignature, signatures }
  return {
    policy,
    inventory,
    index,
    classes: [...bySignature.values()].sort((a, b) => a.identity - b.identity),
    addresses: listAddresses(claims, classOf, reusable),
    networks: listNetworks(networkClasses, classOf),
    zones: numberZones(policy, inventory),
    hosts: listHosts(inventory, byVm, changed, gone, taken, classOf, reusable),
    problems: [...problems, ...claimProblems(claims)],
    records,
  }
}

type ToSignature = (tenant: TenantName | null, leaves: readonly number[]) => ClassSignature

function createSignatures(index: PolicyIndex, known: Map<string, ClassSignature>): ToSignature {
  return (tenant, leaves) => {
    const sides = new Set<number>()
    for (const leaf of leaves) for (const side of index.sidesOfLeaf[leaf] ?? []) sides.add(side)
    const keys = [...sides].map((side) => index.sides[side]?.key ?? '').sort(compareText)
    const key = [tenant ?? '', ...keys].join('\n')
    const found = known.get(key)
    if (found !== undefined) return found
    const made: ClassSignature = { tenant, sides, key }
    known.set(key, made)
    return made
  }
}

interface VmChanges {
  readonly byVm: ReadonlyMap<string, VmRecord>
  readonly changed: readonly VmRecord[]
  readonly gone: readonly VmRecord[]
  readonly problems: ResolvedPolicy['problems']
}

function recordVms(
  inventory: Inventory,
  index: PolicyIndex,
  toSignature: ToSignature,
  previous: ResolvedPolicy | undefined,
): VmChanges {
  const before = previous?.records.byVm
  const byVm = new Map<string, VmRecord>()
  const changed: VmRecord[] = []
  const gone: VmRecord[] = []
  const problems: ResolvedPolicy['problems'][number][] = []
  const labelLeaves = createLabelMatcher(index)
  for (const vm of inventory.vms) {
    if (byVm.has(vm.uuid)) {
      problems.push(toDiagnostic('inventory.duplicate-vm', `vms.${vm.uuid}`, undefined, { vm: vm.uuid }))
      continue
    }
    const last = before?.get(vm.uuid)
    if (last !== undefined && sameVm(last.vm, vm)) {
      byVm.set(vm.uuid, last)
      continue
    }
    const record = recordVm(vm, index, labelLeaves, toSignature)
    byVm.set(vm.uuid, record)
    changed.push(record)
    if (last !== undefined) gone.push(last)
  }
  if (before !== undefined && before.size + changed.length !== byVm.size + gone.length) {
    for (const [uuid, record] of before) if (!byVm.has(uuid)) gone.push(record)
  }
  return { byVm, changed, gone, problems }
}

/** A VM without a tenant has no endpoint and claims no address: it has no plan and passes nothing. */
function recordVm(vm: Vm, index: PolicyIndex, labelLeaves: LabelMatcher, toSignature: ToSignature): VmRecord {
  const { tenant } = vm
  if (tenant === null) return { vm, endpoints: [], claims: [] }
  const byLabel = labelLeaves(tenant, vm.labels)
  const endpoints: PlannedEndpoint[] = []
  const claims: Claim[] = []
  for (const endpoint of vm.endpoints) {
    if (endpoints.some((other) => other.id === endpoint.id)) continue
    const addresses = [...new Set(endpoint.addresses)].sort(compareText)
    endpoints.push({ id: endpoint.id, vm: vm.uuid, vmName: vm.name, tenant, mac: endpoint.mac, addresses })
    const derived = linkLocalAddress(endpoint.mac)
    for (const address of addresses.includes(derived) ? addresses : [...addresses, derived]) {
      const byNetwork = index.networks.leavesOf(address)
      const signature = toSignature(tenant, byNetwork.length === 0 ? byLabel : [...byLabel, ...byNetwork])
      claims.push({ address, endpoint: endpoint.id, signature, declared: address !== derived })
    }
  }
  return { vm, endpoints, claims }
}

type LabelMatcher = (tenant: TenantName, labels: Vm['labels']) => readonly number[]

function createLabelMatcher(index: PolicyIndex): LabelMatcher {
  return (tenant, labels) => {
    const matches = ({ labels: wanted }: LabelLeaf): boolean =>
      wanted.every(([key, values]) => Object.hasOwn(labels, key) && values.has(labels[key] ?? ''))
    return index.labelLeavesOf(tenant).flatMap((leaf) => (matches(leaf) ? [leaf.number] : []))
  }
}

/** One pass over what was there, leaving out what is gone and letting in what is new. */
function mergeClaims(
  before: readonly Claim[],
  gone: readonly VmRecord[],
  changed: readonly VmRecord[],
): readonly Claim[] {
  const order = (a: Claim, b: Claim): number => compareText(a.address, b.address) || compareText(a.endpoint, b.endpoint)
  const added = changed.flatMap((record) => record.claims).sort(order)
  if (before.length === 0) return added
  const removed = new Set(gone.flatMap((record) => record.claims))
  const kept = removed.size === 0 ? before : before.filter((claim) => !removed.has(claim))
  if (added.length === 0) return kept
  const merged: Claim[] = []
  let next = 0
  for (const claim of kept) {
    for (let one = added[next]; one !== undefined && order(one, claim) < 0; one = added[next]) {
      merged.push(one)
      next += 1
    }
    merged.push(claim)
  }
  return [...merged, ...added.slice(next)]
}

function doublyClaimed(claims: readonly Claim[]): ReadonlySet<string> {
  const taken = new Set<string>()
  for (let index = 1; index < claims.length; index += 1) {
    const address = claims[index]?.address
    if (address !== undefined && address === claims[index - 1]?.address) taken.add(address)
  }
  return taken
}

function claimProblems(claims: readonly Claim[]): ResolvedPolicy['problems'] {
  const problems: ResolvedPolicy['problems'][number][] = []
  for (let index = 1; index < claims.length; index += 1) {
    const [first, second] = [claims[index - 1], claims[index]]
    if (first === undefined || second === undefined || first.address !== second.address) continue
    const params = { address: second.address, other: first.endpoint }
    problems.push(toDiagnostic('inventory.duplicate-address', `endpoints.${second.endpoint}`, undefined, params))
  }
  return problems
}

interface NetworkClass {
  readonly prefix: PolicyIndex['networks']['prefixes'][number]
  readonly signature: ClassSignature | null
}

/** Classes in use get their numbers from their content; an unchanged class keeps its object. */
function numberClasses(
  claims: readonly Claim[],
  taken: ReadonlySet<string>,
  networks: readonly NetworkClass[],
  world: ClassSignature,
  before: ReadonlyMap<ClassSignature, IdentityClass> | undefined,
): ReadonlyMap<ClassSignature, IdentityClass> {
  const used = new Set<ClassSignature>()
  for (const claim of claims) if (!taken.has(claim.address)) used.add(claim.signature)
  for (const { signature } of networks) if (signature !== null) used.add(signature)
  used.delete(world)
  const keys = [...used].map((signature) => signature.key)
  const numbers = assignNumbers(keys, { first: worldIdentity + 1, last: 0xffff_ffff })
  const make = (signature: ClassSignature, identity: Identity): [ClassSignature, IdentityClass] => {
    const last = before?.get(signature)
    return [signature, last?.identity === identity ? last : { identity, signature }]
  }
  const classes = [...used].map((signature) => make(signature, toIdentity(numbers.get(signature.key) ?? 0)))
  return new Map([make(world, worldIdentity), ...classes])
}

function listAddresses(
  claims: readonly Claim[],
  classOf: (signature: ClassSignature) => IdentityClass,
  previous: ResolvedPolicy | undefined,
): readonly AddressIdentity[] {
  const listed: AddressIdentity[] = []
  const before = previous?.addresses ?? []
  let at = 0
  let same = true
  for (let index = 0; index < claims.length; index += 1) {
    const claim = claims[index]
    if (
      claim === undefined ||
      claim.address === claims[index - 1]?.address ||
      claim.address === claims[index + 1]?.address
    ) {
      continue
    }
    const { identity } = classOf(claim.signature)
    for (let last = before[at]; last !== undefined && last.address < claim.address; last = before[at]) at += 1
    const last = before[at]
    const kept = last?.address === claim.address && last.identity === identity ? last : undefined
    if (kept === undefined || at !== listed.length) same = false
    listed.push(kept ?? { address: claim.address, identity })
  }
  return same && previous !== undefined && listed.length === before.length ? before : listed
}

/** A prefix with the same identity as what is around it says nothing new. */
function listNetworks(
  networks: readonly NetworkClass[],
  classOf: (signature: ClassSignature) => IdentityClass,
): readonly PrefixIdentity[] {
  const identityOf = new Map<unknown, Identity>()
  for (const { prefix, signature } of networks) {
    identityOf.set(prefix, signature === null ? worldIdentity : classOf(signature).identity)
  }
  return networks.flatMap(({ prefix }) => {
    const identity = identityOf.get(prefix) ?? worldIdentity
    const around = identityOf.get(prefix.parent) ?? worldIdentity
    return identity === around ? [] : [{ prefix: prefix.prefix, identity }]
  })
}

/** Zones are numbered over all tenants, so that a moving VM keeps its zone. */
function numberZones(policy: Policy, inventory: Inventory): ReadonlyMap<TenantName, number> {
  const tenants = new Set<TenantName>(policy.tenants)
  for (const { tenant } of inventory.vms) if (tenant !== null) tenants.add(tenant)
  const numbers = assignNumbers(tenants, { first: 1, last: 65_535 })
  return new Map([...tenants].sort(compareText).map((tenant) => [tenant, numbers.get(tenant) ?? 0]))
}

function listHosts(
  inventory: Inventory,
  byVm: ReadonlyMap<string, VmRecord>,
  changed: readonly VmRecord[],
  gone: readonly VmRecord[],
  taken: ReadonlySet<string>,
  classOf: (signature: ClassSignature) => IdentityClass,
  previous: ResolvedPolicy | undefined,
): readonly ResolvedHost[] {
  const before = new Map((taken.size > 0 ? [] : (previous?.hosts ?? [])).map((host) => [host.name, host]))
  if (previous !== undefined && previous.problems.length > 0) before.clear()
  const touched = new Set([...changed, ...gone].map((record) => record.vm.host))
  const vmsByHost = new Map<string, VmRecord[]>()
  for (const record of byVm.values()) {
    const host = record.vm.host
    if (before.has(host) && !touched.has(host)) continue
    const list = vmsByHost.get(host)
    if (list === undefined) vmsByHost.set(host, [record])
    else list.push(record)
  }
  const names = [...new Set(inventory.hosts.map((host: Host) => host.name))].sort(compareText)
  return names.map((name) => {
    const last = before.get(name)
    if (last !== undefined && !touched.has(name) && last.locals.every((local) => classOf(local.signature) === local))
      return last
    const records = vmsByHost.get(name) ?? [...byVm.values()].filter((record) => record.vm.host === name)
    return toHost(name, records, taken, classOf)
  })
}

function toHost(
  name: Host['name'],
  records: readonly VmRecord[],
  taken: ReadonlySet<string>,
  classOf: (signature: ClassSignature) => IdentityClass,
): ResolvedHost {
  const free = (endpoint: PlannedEndpoint): PlannedEndpoint =>
    endpoint.addresses.some((address) => taken.has(address))
      ? { ...endpoint, addresses: endpoint.addresses.filter((address) => !taken.has(address)) }
      : endpoint
  const endpoints = records.flatMap((record) => record.endpoints.map(free)).sort((a, b) => compareText(a.id, b.id))
  const locals = new Set<IdentityClass>()
  for (const { claims } of records) {
    for (const claim of claims) if (!taken.has(claim.address)) locals.add(classOf(claim.signature))
  }
  return {
    name,
    endpoints,
    tenants: [...new Set(endpoints.map((endpoint) => endpoint.tenant))].sort(compareText),
    locals: [...locals].sort((a, b) => a.identity - b.identity),
  }
}
