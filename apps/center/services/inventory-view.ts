/**
 * The inventory as the compiler sees it: reported VMs, each at the host whose claim is the latest, under the center's word. Kept in memory beside the
 * store, changed only after the store has the change. A VM that did not change is the same object in the next inventory.
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
import type { OverrideRow, ReportedVmRow, VmRow } from '@hyperward/store'

interface Claim extends ReportedVmRow {
  readonly host: string
  readonly claimedAt: number
  readonly seenAt: Date
}

export interface EffectiveVm {
  readonly vm: Vm
  readonly seenAt: Date
}

export interface InventoryView {
  load(hosts: readonly string[], claims: readonly VmRow[], overrides: readonly OverrideRow[]): void
  addHost(host: string): void
  removeHost(host: string): void
  /** The whole set of one host; tells which VMs came here from another host. */
  replaceVms(host: string, vms: readonly ReportedVmRow[], now: Date): readonly VmMove[]
  setOverride(row: OverrideRow): void
  override(uuid: string): OverrideRow | null
  vm(uuid: string): EffectiveVm | null
  vms(): readonly EffectiveVm[]
  hasHost(host: string): boolean
  inventory(): Inventory
}

export interface VmMove {
  readonly uuid: string
  readonly from: string
  readonly to: string
}

export function createInventoryView(): InventoryView {
  const hosts = new Set<HostName>()
  const claims = new Map<string, Claim[]>()
  const overrides = new Map<string, OverrideRow>()
  const effective = new Map<string, EffectiveVm>()
  const byHost = new Map<string, Set<string>>()

  const refresh = (uuid: string): void => {
    const claim = claims.get(uuid)?.reduce((latest, each) => (each.claimedAt >= latest.claimedAt ? each : latest))
    const vm = claim === undefined ? null : toVm(claim, overrides.get(uuid))
    const before = effective.get(uuid)
    if (claim === undefined || vm === null) effective.delete(uuid)
    else if (before === undefined || JSON.stringify(before.vm) !== JSON.stringify(vm)) {
      effective.set(uuid, { vm, seenAt: claim.seenAt })
    } else effective.set(uuid, { vm: before.vm, seenAt: claim.seenAt })
  }

  const setClaim = (uuid: string, host: string, claim: Claim | null): void => {
    const others = (claims.get(uuid) ?? []).filter((each) => each.host !== host)
    const next = claim === null ? others : [...others, claim]
    if (next.length === 0) claims.delete(uuid)
    else claims.set(uuid, next)
    const own = byHost.get(host) ?? new Set()
    if (claim === null) own.delete(uuid)
    else own.add(uuid)
    byHost.set(host, own)
    refresh(uuid)
  }

  const addHost = (text: string): void => {
    const host = parseHostName(text)
    if (host === null) throw new Error(`the store holds a host with a bad name: ${text}`)
    hosts.add(host)
  }

  return {
    load(names, rows, overrideRows) {
      for (const name of names) addHost(name)
      for (const row of overrideRows) overrides.set(row.uuid, row)
      for (const row of rows) {
        setClaim(row.uuid, row.host, { ...row, claimedAt: row.claimed_at.getTime(), seenAt: row.seen_at })
      }
    },
    addHost,
    removeHost(host) {
      for (const each of hosts) if (each === host) hosts.delete(each)
      for (const uuid of byHost.get(host) ?? []) setClaim(uuid, host, null)
      byHost.delete(host)
    },
    replaceVms(host, vms, now) {
      const moves: VmMove[] = []
      const named = new Set(vms.map((vm) => vm.uuid))
      for (const uuid of byHost.get(host) ?? []) if (!named.has(uuid)) setClaim(uuid, host, null)
      for (const vm of vms) {
        const former = claims.get(vm.uuid)?.find((claim) => claim.host === host)
        const owner = effective.get(vm.uuid)?.vm.host
        const claimedAt = former?.claimedAt ?? now.getTime()
        setClaim(vm.uuid, host, { ...vm, host, claimedAt, seenAt: now })
        if (former === undefined && owner !== undefined && owner !== host) {
          moves.push({ uuid: vm.uuid, from: owner, to: host })
        }
      }
      return moves
    },
    setOverride(row) {
      overrides.set(row.uuid, row)
      refresh(row.uuid)
    },
    override: (uuid) => overrides.get(uuid) ?? null,
    vm: (uuid) => effective.get(uuid) ?? null,
    vms: () => [...effective.values()].sort((left, right) => (left.vm.uuid < right.vm.uuid ? -1 : 1)),
    hasHost: (host) => [...hosts].some((each) => each === host),
    inventory: () => ({
      hosts: [...hosts].sort().map((name) => ({ name })),
      vms: [...effective.values()]
        .map((each) => each.vm)
        .filter((vm) => hosts.has(vm.host))
        .sort((left, right) => (left.uuid < right.uuid ? -1 : 1)),
    }),
  }
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
    })
  }
  return {
    uuid,
    name: claim.name,
    host,
    tenant: tenant === null ? null : parseTenantName(tenant),
    labels: { ...claim.labels, ...override?.labels },
    endpoints,
  }
}
