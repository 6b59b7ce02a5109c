/**
 * The inventory as the compiler sees it: reported VMs under the center's word. A VM that two hosts report is the first one's until that one lets it go, and
 * so is an address or a MAC of two endpoints: no host can take from another by claiming. Kept in memory beside the store, changed only after the store
 * has the change. A VM that did not change is the same object in the next inventory.
 */
import {
  parseAddress,
  parseHostName,
  parseMac,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  type Address,
  type Endpoint,
  type HostName,
  type Inventory,
  type Vm,
} from '@hyperward/model'
import { linkLocalAddress } from '@hyperward/policy'
import type { HolderRow, OverrideRow, ReportedVmRow, VmRow } from '@hyperward/store'

import { createFirstHolder, type ClaimBy } from './first-holder.ts'

interface Claim extends ReportedVmRow {
  readonly host: string
  readonly seenAt: Date
}

export interface EffectiveVm {
  readonly vm: Vm
  readonly seenAt: Date
}

export interface InventoryView {
  load(stored: StoredInventory): void
  addHost(host: string): void
  removeHost(host: string): readonly VmMove[]
  /** The whole set of one host, with what of its report was left out; tells which VMs are another host's now. */
  replaceVms(host: string, vms: readonly ReportedVmRow[], problems: readonly string[], now: Date): readonly VmMove[]
  /** The host's claim to a VM ends though the host did not say so. */
  dropClaim(host: string, uuid: string): readonly VmMove[]
  setOverride(row: OverrideRow): void
  /** Guarded at that host too, until this is taken back (null): it is being migrated there, and its report of the VM is no contest. */
  setArriving(uuid: string, host: string | null): void
  override(uuid: string): OverrideRow | null
  vm(uuid: string): EffectiveVm | null
  vms(): readonly EffectiveVm[]
  hasHost(host: string): boolean
  isReportedBy(host: string, uuid: string): boolean
  inventory(): Inventory
  contests(): readonly Contest[]
  /** What of the hosts' reports was left out. */
  problems(): readonly string[]
}

export interface StoredInventory {
  readonly hosts: readonly string[]
  /** The oldest claim first. */
  readonly claims: readonly VmRow[]
  readonly overrides: readonly OverrideRow[]
  readonly holders: readonly HolderRow[]
}

export interface VmMove {
  readonly uuid: string
  readonly from: string
  readonly to: string
}

/** A VM that two hosts report, or an address or MAC that two endpoints claim. */
export interface Contest extends HolderRow {
  readonly kind: 'vm' | 'address' | 'mac'
  /** Who does not get it. */
  readonly others: readonly string[]
  /** Of the first of them. */
  readonly host: string | null
  readonly message: string
}

export function createInventoryView(): InventoryView {
  const hosts = new Set<HostName>()
  const reports = new Map<string, Map<string, Claim>>()
  const owners = createFirstHolder()
  const attributes = createFirstHolder()
  const overrides = new Map<string, OverrideRow>()
  const effective = new Map<string, EffectiveVm>()
  const arriving = new Map<string, HostName>()
  const leftOut = new Map<string, readonly string[]>()

  const ownClaim = (uuid: string): Claim | undefined => reports.get(owners.holder(`vm ${uuid}`) ?? '')?.get(uuid)

  /** What the VM has of what it claims. Without a tenant it passes nothing and claims nothing. */
  const show = (uuid: string): void => {
    const claim = ownClaim(uuid)
    const vm = claim === undefined ? null : toVm(claim, overrides.get(uuid))
    if (claim === undefined || vm === null) {
      effective.delete(uuid)
      return
    }
    const has = (what: string, endpoint: Endpoint): boolean => attributes.holder(what) === endpoint.id
    const movingTo = arriving.get(uuid)
    const held =
      vm.tenant === null
        ? vm
        : {
            ...vm,
            ...(movingTo === undefined || movingTo === vm.host ? {} : { movingTo }),
            endpoints: vm.endpoints
              .filter((endpoint) => has(`mac ${endpoint.mac}`, endpoint))
              .map((endpoint) => ({
                ...endpoint,
                addresses: endpoint.addresses.filter((address) => has(`address ${address}`, endpoint)),
              })),
          }
    const before = effective.get(uuid)?.vm
    const same = before !== undefined && JSON.stringify(before) === JSON.stringify(held)
    effective.set(uuid, { vm: same ? before : held, seenAt: claim.seenAt })
  }

  const refresh = (uuid: string): void => {
    const claim = ownClaim(uuid)
    const override = overrides.get(uuid)
    const vm = claim === undefined ? null : toVm(claim, override)
    const changes = attributes.set(uuid, vm === null || vm.tenant === null ? [] : toClaims(vm, override))
    const touched = new Set([uuid])
    for (const { from, to } of changes) {
      for (const endpoint of [from, to]) if (endpoint !== null) touched.add(toUuid(endpoint))
    }
    for (const each of touched) show(each)
  }

  const setReport = (host: string, report: Map<string, Claim>): readonly VmMove[] => {
    const before = reports.get(host) ?? new Map<string, Claim>()
    reports.set(host, report)
    const claims = [...report.keys()].map((uuid) => ({ claim: `vm ${uuid}`, holder: host, word: false }))
    const moves = owners.set(host, claims).flatMap(({ claim, from, to }) => {
      return from === null || to === null ? [] : [{ uuid: claim.slice('vm '.length), from, to }]
    })
    for (const uuid of new Set([...before.keys(), ...report.keys()])) refresh(uuid)
    return moves
  }

  const addHost = (text: string): void => {
    const host = parseHostName(text)
    if (host === null) throw new Error(`the store holds a host with a bad name: ${text}`)
    hosts.add(host)
  }

  const describe = (endpoint: string): string => {
    const claim = ownClaim(toUuid(endpoint))
    return claim === undefined ? endpoint : `${claim.name} (${endpoint}) at ${claim.host}`
  }

  return {
    load(stored) {
      for (const name of stored.hosts) addHost(name)
      for (const row of stored.overrides) overrides.set(row.uuid, row)
      for (const { claim, holder } of stored.holders) {
        const kept = claim.startsWith('vm ') ? owners : attributes
        kept.prefer(claim, holder)
      }
      for (const row of stored.claims) {
        const report = reports.get(row.host) ?? new Map<string, Claim>()
        reports.set(row.host, report.set(row.uuid, { ...row, seenAt: row.seen_at }))
      }
      for (const [host, report] of reports) setReport(host, report)
      owners.begin()
      attributes.begin()
    },
    addHost,
    removeHost(host) {
      for (const each of hosts) if (each === host) hosts.delete(each)
      const moves = setReport(host, new Map())
      reports.delete(host)
      leftOut.delete(host)
      return moves
    },
    replaceVms(host, vms, problems, now) {
      leftOut.set(host, problems)
      const sorted = vms.toSorted((left, right) => (left.uuid < right.uuid ? -1 : 1))
      return setReport(host, new Map(sorted.map((vm) => [vm.uuid, { ...vm, host, seenAt: now }])))
    },
    dropClaim(host, uuid) {
      const report = new Map(reports.get(host))
      report.delete(uuid)
      return setReport(host, report)
    },
    setOverride(row) {
      overrides.set(row.uuid, row)
      refresh(row.uuid)
    },
    setArriving(uuid, name) {
      const host = [...hosts].find((each) => each === name)
      if (host === undefined) arriving.delete(uuid)
      else arriving.set(uuid, host)
      refresh(uuid)
    },
    override: (uuid) => overrides.get(uuid) ?? null,
    vm: (uuid) => effective.get(uuid) ?? null,
    vms: () => [...effective.values()].sort((left, right) => (left.vm.uuid < right.vm.uuid ? -1 : 1)),
    isReportedBy: (host, uuid) => reports.get(host)?.has(uuid) === true,
    hasHost: (host) => [...hosts].some((each) => each === host),
    inventory: () => ({
      hosts: [...hosts].sort().map((name) => ({ name })),
      vms: [...effective.values()]
        .map((each) => each.vm)
        .filter((vm) => hosts.has(vm.host))
        .sort((left, right) => (left.uuid < right.uuid ? -1 : 1)),
    }),
    contests() {
      const found: Contest[] = []
      for (const [claim, [holder = '', ...others]] of owners.contested()) {
        const expected = arriving.get(claim.slice('vm '.length))
        // of a migration under way
        if (others.every((other) => other === expected)) continue
        const message = `VM ${claim.slice('vm '.length)} is reported by ${holder}, which keeps it, and by ${others.join(', ')}`
        found.push({ kind: 'vm', claim, holder, others, host: others[0] ?? null, message })
      }
      for (const [claim, [holder = '', ...others]] of attributes.contested()) {
        const kind = claim.startsWith('mac ') ? 'mac' : 'address'
        const loser = others[0] ?? ''
        // one MAC makes one link-local address: said once
        if (kind === 'address' && others.every((each) => toMac(each) === toMac(holder))) continue
        const what = kind === 'mac' ? `MAC ${claim.slice('mac '.length)}` : claim
        const fate = kind === 'mac' ? 'stays closed' : 'does not get it'
        const message = `${what} belongs to ${describe(holder)}; ${others.map(describe).join(', ')} ${fate}`
        found.push({ kind, claim, holder, others, host: ownClaim(toUuid(loser))?.host ?? null, message })
      }
      return found.sort((left, right) => (left.claim < right.claim ? -1 : 1))
    },
    problems: () => [...leftOut].flatMap(([host, problems]) => problems.map((each) => `${host}: ${each}`)),
  }
}

function toUuid(endpoint: string): string {
  return endpoint.slice(0, endpoint.indexOf('/'))
}

function toMac(endpoint: string): string {
  return endpoint.slice(endpoint.indexOf('/') + 1)
}

/** The administrator's word goes before a report, and so does the address that is made from the endpoint's own MAC. */
function toClaims(vm: Vm, override: OverrideRow | undefined): readonly ClaimBy[] {
  return vm.endpoints.flatMap((endpoint) => {
    const holder = endpoint.id
    const derived = linkLocalAddress(endpoint.mac)
    const isSaid = override?.addresses[endpoint.mac] !== undefined
    const declared = [...new Set(endpoint.addresses)].filter((address) => address !== derived)
    return [
      { claim: `mac ${endpoint.mac}`, holder, word: false },
      { claim: `address ${derived}`, holder, word: true },
      ...declared.map((address) => ({ claim: `address ${address}`, holder, word: isSaid })),
    ]
  })
}

/** Merge rule: the center's word, where it has one, else the domain's metadata. Labels merge by key, addresses by MAC. */
function toVm(claim: Claim, override: OverrideRow | undefined): Vm | null {
  const uuid = parseVmUuid(claim.uuid)
  const host = parseHostName(claim.host)
  if (uuid === null || host === null) return null
  const tenant = override?.tenant ?? claim.tenant
  const endpoints: Endpoint[] = []
  for (const endpoint of claim.endpoints) {
    const mac = parseMac(endpoint.mac)
    if (mac === null) continue
    const addresses = (override?.addresses[mac] ?? endpoint.addresses).map(parseAddress)
    endpoints.push({
      id: toEndpointId(uuid, mac),
      mac,
      addresses: addresses.filter((address): address is Address => address !== null),
      ...(endpoint.segment === undefined ? {} : { segment: endpoint.segment }),
    })
  }
  const os = override?.os ?? claim.os
  return {
    uuid,
    name: claim.name,
    host,
    tenant: tenant === null ? null : parseTenantName(tenant),
    labels: { ...claim.labels, ...override?.labels },
    ...(os === null ? {} : { os }),
    endpoints,
  }
}
