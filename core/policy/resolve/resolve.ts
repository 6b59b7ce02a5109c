/**
 * Policy + inventory → identity classes. Given the result of the last time, only VMs that changed are looked at again; the outcome is the same.
 *
 * An endpoint's EUI-64 link-local address belongs to it (the datapath lets it use it), so it is listed beside the declared ones. An address that two
 * endpoints claim, declared or derived, belongs to neither: it is in no table and, as a source, forged at both. Fail closed, and said in `problems`.
 */
import { type Inventory, type Policy, type PrefixIdentity, type TenantName, worldIdentity } from '@hyperward/model'

import { toDiagnostic } from '../document/report.ts'
import { assignNumbers } from './assign-numbers.ts'
import {
  buildClaimTable,
  type ClaimTable,
  listAddresses,
  listClaims,
  patchAddresses,
  patchClaimTable,
} from './claim-table.ts'
import { carryOver } from './carry-over.ts'
import { type ClassNumbers, numberClasses } from './class-numbers.ts'
import { compareText } from './compare-text.ts'
import { listHosts, reclassifyHosts } from './list-hosts.ts'
import { buildPolicyIndex } from './policy-index.ts'
import { recordAnew, recordVms, type VmChanges } from './record-vms.ts'
import type { ClassSignature, IdentityClass, ResolvedPolicy } from './resolved-policy.ts'
import { createSignatureTable, type LeafSet, type SignatureTable } from './signature-table.ts'

/** `previous`: of the same policy, then a change of the inventory costs what changed; of another policy over the same VMs, then a change of the policy does. */
export function resolve(policy: Policy, inventory: Inventory, previous?: ResolvedPolicy): ResolvedPolicy {
  return previous?.policy === policy
    ? resolveChange(policy, inventory, previous)
    : resolveAnew(policy, inventory, previous)
}

/** The same policy: identities stay, so that all that does not change is kept as it is. */
function resolveChange(policy: Policy, inventory: Inventory, last: ResolvedPolicy): ResolvedPolicy {
  const { index } = last
  const { signatures } = last.records
  const changes = recordVms(inventory, index, signatures.toLeafSet, last)
  const { changed, gone } = changes
  const patched = patchClaimTable(last.records.claims, last.addresses, gone, changed)
  const claims = patched ?? buildClaimTable(changes.vms)
  const sets = patched === null ? null : { got: listLeafSets(changed), lost: listLeafSets(gone) }
  const numbers = numberClasses(claims, signatures, last.records.numbers, sets)
  const classOf = createClassOf(signatures, numbers)
  const renumbered = numbers.collided || last.records.numbers.collided
  const patchable = patched !== null && !renumbered ? last : undefined
  return {
    policy,
    inventory,
    index,
    classes: numbers.classes,
    addresses:
      patchable === undefined
        ? listAddresses(claims, classOf)
        : patchAddresses(patchable.addresses, gone, changed, classOf),
    networks: patchable?.networks ?? listNetworks(signatures.networks, numbers.bySignature),
    zones: keepZones(policy, changes, last) ?? numberZones(policy, inventory),
    hosts: listHosts(inventory, changes, claims.taken, classOf, patchable),
    problems: [...changes.problems, ...listClashes(claims)],
    records: { vms: changes.vms, claims, numbers, signatures },
  }
}

function resolveAnew(policy: Policy, inventory: Inventory, previous: ResolvedPolicy | undefined): ResolvedPolicy {
  const index = buildPolicyIndex(policy)
  const carried = previous === undefined ? null : carryOver(previous, index)
  const signatures = createSignatureTable(index, carried?.leafSets)
  const anew =
    previous === undefined || carried === null
      ? null
      : recordAnew(inventory, index, signatures.toLeafSet, previous, carried.isTouched)
  const changes = anew ?? recordVms(inventory, index, signatures.toLeafSet, undefined)
  const last = anew === null ? undefined : previous
  const kept =
    last === undefined ? null : patchClaimTable(last.records.claims, last.addresses, changes.gone, changes.changed)
  const same = last !== undefined && changes.changed.length === 0
  const claims = kept ?? (same ? last.records.claims : buildClaimTable(changes.vms))
  const numbers = numberClasses(claims, signatures, undefined, null)
  const classOf = createClassOf(signatures, numbers)
  return {
    policy,
    inventory,
    index,
    classes: numbers.classes,
    addresses: listAddresses(claims, classOf, last?.addresses),
    networks: listNetworks(signatures.networks, numbers.bySignature),
    zones: numberZones(policy, inventory),
    hosts:
      same && last.inventory.hosts === inventory.hosts
        ? reclassifyHosts(last.hosts, classOf)
        : listHosts(inventory, changes, claims.taken, classOf, undefined),
    problems: [...changes.problems, ...listClashes(claims)],
    records: { vms: changes.vms, claims, numbers, signatures },
  }
}

function listLeafSets(records: VmChanges['changed']): readonly LeafSet[] {
  return records.flatMap(({ claims }) => claims.map(({ leafSet }) => leafSet))
}

function createClassOf(signatures: SignatureTable, { bySignature }: ClassNumbers): (set: LeafSet) => IdentityClass {
  const known = new Map<LeafSet, IdentityClass>()
  return (set) => {
    const already = known.get(set)
    if (already !== undefined) return already
    const signature = signatures.signatureOf(set)
    const found = bySignature.get(signature)
    if (found === undefined) throw new Error(`a signature without a number: ${signature.key}`)
    known.set(set, found)
    return found
  }
}

/** A prefix with the same identity as what is around it says nothing new. */
function listNetworks(
  networks: SignatureTable['networks'],
  classes: ReadonlyMap<ClassSignature, IdentityClass>,
): readonly PrefixIdentity[] {
  const identityOf = new Map(networks.map(({ prefix, signature }) => [prefix, classes.get(signature)?.identity]))
  return networks.flatMap(({ prefix }) => {
    const identity = identityOf.get(prefix) ?? worldIdentity
    const around = prefix.parent === null ? worldIdentity : (identityOf.get(prefix.parent) ?? worldIdentity)
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

/** The last zones, when all that changed belongs to tenants of the policy: those have a zone with or without VMs. */
function keepZones(
  policy: Policy,
  { changed, gone }: VmChanges,
  last: ResolvedPolicy | undefined,
): ResolvedPolicy['zones'] | null {
  if (last === undefined) return null
  const known = [...changed, ...gone].every(({ vm }) => vm.tenant === null || policy.tenants.includes(vm.tenant))
  return known ? last.zones : null
}

function listClashes(table: ClaimTable): ResolvedPolicy['problems'] {
  if (table.taken.size === 0) return []
  const claims = listClaims(table)
  return claims.flatMap((second, index) => {
    const first = claims[index - 1]
    if (first?.address !== second.address) return []
    const params = { address: second.address, other: first.endpoint }
    return [toDiagnostic('inventory.duplicate-address', `endpoints.${second.endpoint}`, undefined, params)]
  })
}
