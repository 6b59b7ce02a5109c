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
  readonly byVm: ReadonlyMap<string, VmRecord>
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
  const before = previous?.records.byVm
  const byVm = new Map<string, VmRecord>()
  const changed: VmRecord[] = []
  const problems: ResolvedPolicy['problems'][number][] = []
  for (const vm of inventory.vms) {
    if (byVm.has(vm.uuid)) {
      problems.push(toDiagnostic('inventory.duplicate-vm', `vms.${vm.uuid}`, undefined, { vm: vm.uuid }))
      continue
    }
    const last = before?.get(vm.uuid)
    const record = last !== undefined && sameVm(last.vm, vm) ? last : recordVm(vm, index, toSignature)
    byVm.set(vm.uuid, record)
    if (record !== last) changed.push(record)
  }
  const gone = [...(before?.values() ?? [])].filter((record) => byVm.get(record.vm.uuid) !== record)
  return { byVm, changed, gone, problems }
}

/** The usual case, without a look-up a VM: the same VMs in the same order, a few of them different. Null when it is not so. */
function recordInPlace(
  inventory: Inventory,
  index: PolicyIndex,
  toSignature: ToSignature,
  previous: ResolvedPolicy,
): VmChanges | null {
  const before = previous.inventory.vms
  if (before.length !== inventory.vms.length || previous.records.byVm.size !== before.length) return null
  const different: Vm[] = []
  for (const [at, vm] of inventory.vms.entries()) {
    const last = before[at]
    if (last === vm) continue
    if (last?.uuid !== vm.uuid) return null
    if (!sameVm(last, vm)) different.push(vm)
  }
  const { byVm } = previous.records
  if (different.length === 0) return { byVm, changed: [], gone: [], problems: [] }
  const changed = different.map((vm) => recordVm(vm, index, toSignature))
  const gone = different.map((vm) => byVm.get(vm.uuid)).filter((record) => record !== undefined)
  const patched = new Map(byVm)
  for (const record of changed) patched.set(record.vm.uuid, record)
  return { byVm: patched, changed, gone, problems: [] }
}

/** A VM without a tenant has no endpoint and claims no address: it has no plan and passes nothing. */
function recordVm(vm: Vm, index: PolicyIndex, toSignature: ToSignature): VmRecord {
  const { tenant } = vm
  if (tenant === null) return { vm, endpoints: [], claims: [] }
  const byLabel = matchLabels(index, tenant, vm.labels)
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
      claims.push({ address, endpoint: endpoint.id, signature })
    }
  }
  return { vm, endpoints, claims }
}

function matchLabels(index: PolicyIndex, tenant: TenantName, labels: Vm['labels']): readonly number[] {
  const found: number[] = []
  for (const { number, labels: wanted } of index.labelLeavesOf(tenant)) {
    if (wanted.every(([key, values]) => Object.hasOwn(labels, key) && values.has(labels[key] ?? ''))) found.push(number)
  }
  return found
}
