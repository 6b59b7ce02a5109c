/** What each VM contributes: its endpoints, and its addresses with their class. A VM that did not change keeps its record. */
import type { Address, EndpointId, Inventory, PlannedEndpoint, TenantName, Vm } from '@hyperward/model'

import { toDiagnostic } from '../document/report.ts'
import { compareText } from './compare-text.ts'
import { linkLocalAddress } from './link-local-address.ts'
import type { PolicyIndex } from './policy-index.ts'
import type { Claim, ResolvedPolicy, VmRecord } from './resolved-policy.ts'
import { sameVm } from './same-vm.ts'
import type { LeafSet, SignatureTable } from './signature-table.ts'

export type ToLeafSet = SignatureTable['toLeafSet']

export interface VmChanges {
  /** In the inventory's order; a VM listed twice stands here once. */
  readonly vms: readonly VmRecord[]
  /** Records that are new or replace another. */
  readonly changed: readonly VmRecord[]
  /** Records that were, and are no more. */
  readonly gone: readonly VmRecord[]
  readonly problems: ResolvedPolicy['problems']
}

export function recordVms(
  inventory: Inventory,
  index: PolicyIndex,
  toLeafSet: ToLeafSet,
  previous: ResolvedPolicy | undefined,
): VmChanges {
  const quick = previous === undefined ? null : recordInPlace(inventory, index, toLeafSet, previous)
  if (quick !== null) return quick
  const before = new Map(previous?.records.vms.map((record) => [record.vm.uuid, record]))
  const byVm = new Map<string, VmRecord>()
  const changed: VmRecord[] = []
  const problems: ResolvedPolicy['problems'][number][] = []
  for (const vm of inventory.vms) {
    if (byVm.has(vm.uuid)) {
      problems.push(toDiagnostic('inventory.duplicate-vm', `vms.${vm.uuid}`, undefined, { vm: vm.uuid }))
      continue
    }
    const last = before.get(vm.uuid)
    const record = last !== undefined && sameVm(last.vm, vm) ? last : recordVm(vm, index, toLeafSet)
    byVm.set(vm.uuid, record)
    if (record !== last) changed.push(record)
  }
  const gone = [...before.values()].filter((record) => byVm.get(record.vm.uuid) !== record)
  return { vms: [...byVm.values()], changed, gone, problems }
}

/** The usual case, without a look-up a VM: the same VMs in the same order, a few of them different. Null when it is not so. */
function recordInPlace(
  inventory: Inventory,
  index: PolicyIndex,
  toLeafSet: ToLeafSet,
  previous: ResolvedPolicy,
): VmChanges | null {
  const before = previous.records.vms
  const listed = previous.inventory.vms
  if (before.length !== inventory.vms.length || listed.length !== before.length) return null
  const different: number[] = []
  for (let at = 0; at < before.length; at += 1) {
    const vm = inventory.vms[at]
    const last = listed[at]
    if (vm === undefined || vm === last) continue
    if (last?.uuid !== vm.uuid) return null
    if (!sameVm(last, vm)) different.push(at)
  }
  if (different.length === 0) return { vms: before, changed: [], gone: [], problems: [] }
  const vms = before.slice()
  const changed: VmRecord[] = []
  const gone: VmRecord[] = []
  for (const at of different) {
    const [vm, last] = [inventory.vms[at], before[at]]
    if (vm === undefined || last === undefined) continue
    const record = recordVm(vm, index, toLeafSet)
    vms[at] = record
    changed.push(record)
    gone.push(last)
  }
  return { vms, changed, gone, problems: [] }
}

/** The same VMs under another policy: those that a new leaf holds are looked at again. Null when the VMs are not the same. */
export function recordAnew(
  inventory: Inventory,
  index: PolicyIndex,
  toLeafSet: ToLeafSet,
  previous: ResolvedPolicy,
  isTouched: (record: VmRecord) => boolean,
): VmChanges | null {
  const before = previous.records.vms
  if (previous.inventory.vms !== inventory.vms || before.length !== inventory.vms.length) return null
  const gone = before.filter(isTouched)
  if (gone.length === 0) return { vms: before, changed: [], gone: [], problems: [] }
  const successors = new Map(gone.map((record) => [record, recordVm(record.vm, index, toLeafSet)]))
  const vms = before.map((record) => successors.get(record) ?? record)
  return { vms, changed: [...successors.values()], gone, problems: [] }
}

/** The leaves of a VM's addresses. Most are in no network, and then all of an endpoint have one. */
function createClassifier(
  vm: Vm,
  tenant: TenantName,
  index: PolicyIndex,
  toLeafSet: ToLeafSet,
): (endpoint: EndpointId, address: Address) => LeafSet {
  const { match, bySegment } = index.endpointLeavesOf(tenant)
  const shared = match(vm, undefined)
  const outside = toLeafSet(tenant, shared)
  const ownOf = (id: EndpointId): readonly number[] =>
    bySegment ? match(vm, vm.endpoints.find((endpoint) => endpoint.id === id)?.segment) : shared
  return (id, address) => {
    const byNetwork = index.networks.leavesOf(address)
    if (byNetwork.length === 0 && !bySegment) return outside
    return toLeafSet(tenant, [...ownOf(id), ...byNetwork])
  }
}

/** A VM without a tenant has no endpoint and claims no address: it has no plan and passes nothing. */
function recordVm(vm: Vm, index: PolicyIndex, toLeafSet: ToLeafSet): VmRecord {
  const { tenant } = vm
  if (tenant === null) return { vm, endpoints: [], claims: [] }
  const classify = createClassifier(vm, tenant, index, toLeafSet)
  const endpoints: PlannedEndpoint[] = []
  const claims: Claim[] = []
  for (const endpoint of vm.endpoints) {
    if (endpoints.some((other) => other.id === endpoint.id)) continue
    const addresses = [...new Set(endpoint.addresses)].sort(compareText)
    endpoints.push({ id: endpoint.id, vm: vm.uuid, vmName: vm.name, tenant, mac: endpoint.mac, addresses })
    const derived = linkLocalAddress(endpoint.mac)
    for (const address of addresses.includes(derived) ? addresses : [...addresses, derived]) {
      claims.push({ address, endpoint: endpoint.id, leafSet: classify(endpoint.id, address) })
    }
  }
  return { vm, endpoints, claims }
}
