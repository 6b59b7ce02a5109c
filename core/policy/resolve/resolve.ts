/**
 * Policy + inventory → identity classes. Given the result of the last time, only VMs that changed are looked at again; the outcome is the same.
 *
 * An endpoint's EUI-64 link-local address belongs to it (the datapath lets it use it), so it is listed beside the declared ones. An address that two
 * endpoints claim, declared or derived, belongs to neither: it is in no table and, as a source, forged at both. Fail closed, and said in `problems`.
 */
import {
  type Inventory,
  type Policy,
  type PrefixIdentity,
  type TenantName,
  toIdentity,
  worldIdentity,
} from '@hyperward/model'

import { toDiagnostic } from '../document/report.ts'
import { assignNumbers } from './assign-numbers.ts'
import { buildClaimTable, type ClaimTable, listAddresses, patchAddresses, patchClaimTable } from './claim-table.ts'
import { compareText } from './compare-text.ts'
import { listHosts } from './list-hosts.ts'
import { buildPolicyIndex, type PolicyIndex } from './policy-index.ts'
import { recordVms, type ToSignature, type VmChanges } from './record-vms.ts'
import type { ClassSignature, IdentityClass, ResolvedPolicy } from './resolved-policy.ts'

export function resolve(policy: Policy, inventory: Inventory, previous?: ResolvedPolicy): ResolvedPolicy {
  const last = previous?.policy === policy ? previous : undefined
  const index = last?.index ?? buildPolicyIndex(policy)
  const signatures = last?.records.signatures ?? new Map<string, ClassSignature>()
  const toSignature = createSignatures(index, signatures)
  const changes = recordVms(inventory, index, toSignature, last)
  const { changed, gone } = changes
  const patched = last === undefined ? null : patchClaimTable(last.records.claims, gone, changed)
  const claims = patched ?? buildClaimTable(changes.byVm.values())
  const networks = index.networks.prefixes.map((prefix) => ({ prefix, signature: toSignature(null, prefix.leaves) }))
  const numbered = numberClasses(claims, networks, toSignature(null, []), last?.records.bySignature)
  const { bySignature } = numbered
  const classOf = (signature: ClassSignature): IdentityClass => {
    const found = bySignature.get(signature)
    if (found === undefined) throw new Error(`a signature without a number: ${signature.key}`)
    return found
  }
  const patchable = patched !== null && !numbered.renumbered ? last : undefined
  return {
    policy,
    inventory,
    index,
    classes: bySignature === last?.records.bySignature ? last.classes : sortClasses(bySignature),
    addresses:
      patchable === undefined
        ? listAddresses(claims, classOf)
        : patchAddresses(patchable.addresses, gone, changed, classOf),
    networks: patchable?.networks ?? listNetworks(networks, classOf),
    zones: keepZones(policy, changes, last) ?? numberZones(policy, inventory),
    hosts: listHosts(inventory, changes, claims.taken, classOf, patched === null ? [] : (last?.hosts ?? [])),
    problems: [...changes.problems, ...listClashes(claims)],
    records: { byVm: changes.byVm, claims, bySignature, signatures },
  }
}

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

interface NetworkClass {
  readonly prefix: PolicyIndex['networks']['prefixes'][number]
  readonly signature: ClassSignature
}

interface Numbered {
  readonly bySignature: ReadonlyMap<ClassSignature, IdentityClass>
  /** A class that was there before has another number now (a rare collision): nothing made with the old number may be kept. */
  readonly renumbered: boolean
}

/** Classes in use get their numbers from their content; an unchanged class keeps its object. */
function numberClasses(
  claims: ClaimTable,
  networks: readonly NetworkClass[],
  world: ClassSignature,
  before: ReadonlyMap<ClassSignature, IdentityClass> | undefined,
): Numbered {
  const used = new Set<ClassSignature>(claims.uses.keys())
  for (const { signature } of networks) used.add(signature)
  used.add(world)
  if (before?.size === used.size && [...used].every((signature) => before.has(signature))) {
    return { bySignature: before, renumbered: false }
  }
  const others = [...used].filter((signature) => signature !== world)
  const keys = others.map((signature) => signature.key)
  const numbers = assignNumbers(keys, { first: worldIdentity + 1, last: 0xffff_ffff })
  const bySignature = new Map<ClassSignature, IdentityClass>([[world, { identity: worldIdentity, signature: world }]])
  let renumbered = false
  for (const signature of others) {
    const identity = toIdentity(numbers.get(signature.key) ?? 0)
    const last = before?.get(signature)
    if (last !== undefined && last.identity !== identity) renumbered = true
    bySignature.set(signature, last?.identity === identity ? last : { identity, signature })
  }
  return { bySignature, renumbered }
}

function sortClasses(bySignature: ReadonlyMap<ClassSignature, IdentityClass>): readonly IdentityClass[] {
  return [...bySignature.values()].sort((a, b) => a.identity - b.identity)
}

/** A prefix with the same identity as what is around it says nothing new. */
function listNetworks(
  networks: readonly NetworkClass[],
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

function listClashes({ claims, taken }: ClaimTable): ResolvedPolicy['problems'] {
  if (taken.size === 0) return []
  return claims.flatMap((second, index) => {
    const first = claims[index - 1]
    if (first?.address !== second.address) return []
    const params = { address: second.address, other: first.endpoint }
    return [toDiagnostic('inventory.duplicate-address', `endpoints.${second.endpoint}`, undefined, params)]
  })
}
