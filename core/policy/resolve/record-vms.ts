/** What each VM contributes: its endpoints, and its addresses with their class. A VM that did not change keeps its record. */
import type { Inventory, PlannedEndpoint, TenantName, Vm } from '@hyperward/model'

import { toDiagnostic } from '../document/report.ts'
import { compareText } from './compare-text.ts'
import { linkLocalAddress } from './link-local-address.ts'
import type { PolicyIndex } from './policy-index.ts'
import type { Claim, ClassSignature, ResolvedPolicy, VmRecord } from './resolved-policy.ts'
import { sameVm } from './same-vm.ts'

export type ToSignature = (tenant: TenantName | null, leaves: readonly number[]) => ClassSignature

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
  toSignature: ToSignature,
  previous: ResolvedPolicy | undefined,
): VmChanges {
  const quick = previous === undefined ? null : recordInPlace(inventory, index, toSignature, previous)
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
    const record = last !== undefined && sameVm(last.vm, vm) ? last : recordVm(vm, index, toSignature)
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
  toSignature: ToSignature,
  previous: ResolvedPolicy,
): VmChanges | null {
  const before = previous.records.vms
  if (before.length !== inventory.vms.length || previous.inventory.vms.length !== before.length) return null
  const different: number[] = []
  for (let at = 0; at < before.length; at += 1) {
    const vm = inventory.vms[at]
    const last = before[at]?.vm
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
    const record = recordVm(vm, index, toSignature)
    vms[at] = record
    changed.push(record)
    gone.push(last)
  }
  return { vms, changed, gone, problems: [] }
}

/** A VM without a tenant has no endpoint and claims no address: it has no plan and passes nothing. */
function recordVm(vm: Vm, index: PolicyIndex, toSignature: ToSignature): VmRecord {
  const { tenant } = vm
  if (tenant === null) return { vm, endpoints: [], claims: [] }
  const leaves = index.endpointLeavesOf(tenant)
  const shared = leaves.bySegment ? null : leaves.match(vm, undefined)
  const endpoints: PlannedEndpoint[] = []
  const claims: Claim[] = []
  for (const endpoint of vm.endpoints) {
    if (endpoints.some((other) => other.id === endpoint.id)) continue
    const own = shared ?? leaves.match(vm, endpoint.segment)
    const addresses = [...new Set(endpoint.addresses)].sort(compareText)
    endpoints.push({ id: endpoint.id, vm: vm.uuid, vmName: vm.name, tenant, mac: endpoint.mac, addresses })
    const derived = linkLocalAddress(endpoint.mac)
    for (const address of addresses.includes(derived) ? addresses : [...addresses, derived]) {
      const byNetwork = index.networks.leavesOf(address)
      const signature = toSignature(tenant, byNetwork.length === 0 ? own : [...own, ...byNetwork])
      claims.push({ address, endpoint: endpoint.id, signature })
    }
  }
  return { vm, endpoints, claims }
}
