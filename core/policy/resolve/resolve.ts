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
  reclassifyClaims,
} from './claim-table.ts'
import { numberClasses } from './class-numbers.ts'
import { compareText } from './compare-text.ts'
import { listHosts, reclassifyHosts } from './list-hosts.ts'
import { buildPolicyIndex, type PolicyIndex } from './policy-index.ts'
import { recordAnew, recordVms, type VmChanges } from './record-vms.ts'
import type { ClassSignature, IdentityClass, ResolvedHost, ResolvedPolicy } from './resolved-policy.ts'
import { createSignatureTable, type SignatureTable } from './signature-table.ts'

/** `previous`: of the same policy, then a change of the inventory costs what changed; of another policy over the same VMs, then only their classes are found anew. */
export function resolve(policy: Policy, inventory: Inventory, previous?: ResolvedPolicy): ResolvedPolicy {
  const last = previous?.policy === policy ? previous : undefined
  const index = last?.index ?? buildPolicyIndex(policy)
  const signatures = last?.records.signatures ?? createSignatureTable(index)
  const anew = last === undefined && previous !== undefined ? reclassify(inventory, index, signatures, previous) : null
  const changes = anew?.changes ?? recordVms(inventory, index, signatures.toSignature, last)
  const { changed, gone } = changes
  const patched = last === undefined ? null : patchClaimTable(last.records.claims, last.addresses, gone, changed)
  const claims = patched ?? anew?.claims ?? buildClaimTable(changes.vms)
  const numbers = numberClasses(claims, signatures, last?.records.numbers)
  const classOf = (signature: ClassSignature): IdentityClass => {
    const found = numbers.bySignature.get(signature)
    if (found === undefined) throw new Error(`a signature without a number: ${signature.key}`)
    return found
  }
  const renumbered = last !== undefined && (numbers.collided || last.records.numbers.collided)
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
    networks: patchable?.networks ?? listNetworks(signatures.networks, classOf),
    zones: keepZones(policy, changes, last) ?? numberZones(policy, inventory),
    hosts:
      anew === null || anew.hosts === null
        ? listHosts(inventory, changes, claims.taken, classOf, patchable)
        : reclassifyHosts(anew.hosts, changes.vms, claims.taken, classOf),
    problems: [...changes.problems, ...listClashes(claims)],
    records: { vms: changes.vms, claims, numbers, signatures },
  }
}

/** Null when the VMs are not those of the last time. A VM listed twice is told as then. */
function reclassify(
  inventory: Inventory,
  index: PolicyIndex,
  { toSignature }: SignatureTable,
  previous: ResolvedPolicy,
): Reclassified | null {
  const vms = recordAnew(inventory, index, toSignature, previous)
  if (vms === null) return null
  const claims = reclassifyClaims(previous.records.claims, previous.records.vms, vms)
  const hosts = previous.inventory.hosts === inventory.hosts ? previous.hosts : null
  return { changes: { vms, changed: vms, gone: [], problems: [] }, claims, hosts }
}

interface Reclassified {
  readonly changes: VmChanges
  readonly claims: ClaimTable
  /** Those of the last time, when they are the same hosts. */
  readonly hosts: readonly ResolvedHost[] | null
}

/** A prefix with the same identity as what is around it says nothing new. */
function listNetworks(
  networks: SignatureTable['networks'],
  classOf: (signature: ClassSignature) => IdentityClass,
): readonly PrefixIdentity[] {
  const identityOf = new Map(networks.map(({ prefix, signature }) => [prefix, classOf(signature).identity]))
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
