/**
 * Recorded connections → a policy that allows them, as a document to read and edit. An end is a VM, with all its addresses, or an address outside.
 *
 * `exact` (unless asked otherwise): two ends may talk with a service only if they were seen to. `group`: where labels select a set of VMs of which at least
 * `share` took part (and two pairs at least were seen), the whole set may; and where several addresses of one /24 or /64 were seen, the whole network. The client's ports are never looked at.
 */
import type { Address, FlowRecord, Inventory, TenantName, VmUuid } from '@hyperward/model'

import { compareText } from '../resolve/compare-text.ts'
import { createHolderLookup } from '../simulate/create-holder-lookup.ts'
import { createGroupChooser, type GroupChooser, toFreeName } from './choose-groups.ts'
import { coverByCandidates, coverExactly, type Edge, type Rectangle } from './cover-edges.ts'
import { createNetworkWidener, mergeNetworks } from './merge-networks.ts'
import type { SeenService } from './service-text.ts'
import { type RecommendedRule, type Section, writePolicy } from './write-policy.ts'

export interface RecommendOptions {
  readonly generalize: 'exact' | 'group'
  /** Of `group`: from 0 to 1, which part of a set must have been seen; all of it (1) unless told. */
  readonly share?: number
  /** Connections that were only ever refused are allowed, too. */
  readonly includeRefused?: boolean
}

export interface Recommendation {
  /** The document. */
  readonly text: string
  readonly rules: number
  /** Records and connections that the document allows. */
  readonly records: number
  readonly connections: number
  /** Records left out: seen refused only, and between ends of which none is an endpoint or both are one VM. */
  readonly refused: number
  readonly elsewhere: number
}

export function recommend(
  inventory: Inventory,
  flows: readonly FlowRecord[],
  { generalize, share = 1, includeRefused = false }: RecommendOptions,
): Recommendation {
  const parties = createParties(inventory)
  const wanted = flows.filter((flow) => includeRefused || flow.count > flow.refused)
  const seen = wanted.flatMap((flow): readonly SeenFlow[] => {
    const { source, destination, protocol, port = null } = flow.packet
    const [from, to] = [parties.of(source), parties.of(destination)]
    const isOurs = from.key !== to.key && (from.tenant !== null || to.tenant !== null)
    return isOurs ? [{ from, to, service: { protocol, port }, record: flow }] : []
  })
  const groups = createGroups(inventory, parties, generalize === 'group')
  const tenants = [...new Set(seen.flatMap(({ from, to }) => [from.tenant, to.tenant]))].filter((one) => one !== null)
  const sections = tenants.sort(compareText).map((tenant): Section => {
    const rules = scopes.flatMap(({ direction, holds }) => {
      const own = seen.filter((flow) => holds(flow, tenant))
      return toRules(own, tenant, direction, groups, generalize === 'group' ? share : null)
    })
    return { tenant, rules: nameRules(rules), groups: groups.ofTenant(tenant) }
  })
  const connections = seen.reduce((sum, { record }) => sum + record.count, 0)
  const rules = sections.reduce((sum, section) => sum + section.rules.length, 0)
  const told = { records: seen.length, connections, refused: flows.length - wanted.length }
  const elsewhere = wanted.length - seen.length
  const text = writePolicy(sections, groups.ofProvider(), { ...told, elsewhere, generalize, share, includeRefused })
  return { text, rules, ...told, elsewhere }
}

type Party =
  | { readonly key: string; readonly tenant: TenantName; readonly vm: VmUuid; readonly address: null }
  | { readonly key: string; readonly tenant: null; readonly vm: null; readonly address: Address }

interface SeenFlow {
  readonly from: Party
  readonly to: Party
  readonly service: SeenService
  readonly record: FlowRecord
}

type Scope = RecommendedRule['direction']

/** A rule of a tenant speaks of its own endpoints: of both ends, or of one and whoever is at the other. */
const scopes: readonly {
  readonly direction: Scope
  readonly holds: (flow: SeenFlow, tenant: TenantName) => boolean
}[] = [
  { direction: 'both', holds: ({ from, to }, tenant) => from.tenant === tenant && to.tenant === tenant },
  { direction: 'ingress', holds: ({ from, to }, tenant) => from.tenant !== tenant && to.tenant === tenant },
  { direction: 'egress', holds: ({ from, to }, tenant) => from.tenant === tenant && to.tenant !== tenant },
]

interface Parties {
  readonly of: (address: Address) => Party
  readonly byKey: (key: string) => Party
}

function createParties(inventory: Inventory): Parties {
  const holderOf = createHolderLookup(inventory)
  const known = new Map<string, Party>()
  for (const { uuid, tenant } of inventory.vms)
    if (tenant !== null) known.set(uuid, { key: uuid, tenant, vm: uuid, address: null })
  const byKey = (key: string): Party => {
    const party = known.get(key)
    if (party === undefined) throw new Error(`a party that nobody saw: ${key}`)
    return party
  }
  return {
    of: (address) => {
      const holder = holderOf(address)
      if (holder !== null) return byKey(holder.vm.uuid)
      const party = known.get(address) ?? { key: address, tenant: null, vm: null, address }
      known.set(address, party)
      return party
    },
    byKey,
  }
}

interface Groups {
  /** Names and networks that together are these parties, as a tenant writes them. */
  readonly sideOf: (tenant: TenantName, keys: ReadonlySet<string>) => readonly string[]
  readonly candidatesOf: (key: string) => readonly { readonly key: string; readonly members: ReadonlySet<string> }[]
  readonly ofTenant: (tenant: TenantName) => ReadonlyMap<string, string>
  readonly ofProvider: () => ReadonlyMap<string, string>
}

function createGroups(inventory: Inventory, parties: Parties, widen: boolean): Groups {
  const choosers = new Map<TenantName, GroupChooser>()
  const chooserOf = (tenant: TenantName): GroupChooser => {
    const chooser = choosers.get(tenant) ?? createGroupChooser(inventory, tenant)
    choosers.set(tenant, chooser)
    return chooser
  }
  const candidates = new Map<string, ReturnType<Groups['candidatesOf']>>()
  const own = new Map<TenantName, Map<string, string>>()
  const shared = new Map<string, string>()
  const sharedBySelector = new Map<string, string>()
  const share = (tenant: TenantName, name: string, selector: string): string => {
    // networks are who they are; labels and names are meant of one tenant
    const whole = selector.startsWith('networks:') ? selector : `tenants: [${tenant}], ${selector}`
    const known = sharedBySelector.get(whole) ?? toFreeName(`${tenant}-${name}`, shared)
    sharedBySelector.set(whole, known)
    shared.set(known, whole)
    return `provider/${known}`
  }
  const endpoints = inventory.vms.flatMap((vm) => vm.endpoints.flatMap((endpoint) => endpoint.addresses))
  const toNetworks = widen ? createNetworkWidener(endpoints) : mergeNetworks
  return {
    sideOf: (tenant, keys) => {
      const members = new Map<TenantName, Set<VmUuid>>()
      const addresses: Address[] = []
      for (const key of keys) {
        const party = parties.byKey(key)
        if (party.tenant === null) addresses.push(party.address)
        else members.set(party.tenant, (members.get(party.tenant) ?? new Set()).add(party.vm))
      }
      const names = [...members].flatMap(([owner, some]) =>
        chooserOf(owner)
          .choose(some)
          .map(({ name, selector }) => {
            if (owner !== tenant) return share(owner, name, selector)
            own.set(tenant, (own.get(tenant) ?? new Map<string, string>()).set(name, selector))
            return name
          }),
      )
      return [...names, ...toNetworks(addresses)]
    },
    candidatesOf: (key) => {
      const known = candidates.get(key)
      if (known !== undefined) return known
      const { tenant, vm } = parties.byKey(key)
      const sets = tenant === null ? [] : chooserOf(tenant).setsOf(vm)
      const made = [{ key, members: new Set([key]) }, ...sets]
      candidates.set(key, made)
      return made
    },
    ofTenant: (tenant) => own.get(tenant) ?? new Map(),
    ofProvider: () => shared,
  }
}

/** `share` null = exactly. */
function toRules(
  flows: readonly SeenFlow[],
  tenant: TenantName,
  direction: Scope,
  groups: Groups,
  share: number | null,
): readonly RecommendedRule[] {
  const byService = Map.groupBy(flows, ({ service }) => `${service.protocol}/${service.port ?? ''}`)
  const pieces = new Map<string, { readonly rectangle: Rectangle; readonly flows: SeenFlow[] }>()
  for (const some of byService.values()) {
    const edges = new Map(some.map((flow) => [`${flow.from.key} ${flow.to.key}`, toEdge(flow)]))
    const cover =
      share === null
        ? coverExactly([...edges.values()])
        : coverByCandidates([...edges.values()], groups.candidatesOf, share)
    for (const rectangle of cover) {
      const key = [rectangle.sources, rectangle.destinations].map((keys) => [...keys].sort().join()).join(' ')
      const piece = pieces.get(key) ?? { rectangle, flows: [] }
      pieces.set(key, piece)
      for (const flow of some)
        if (rectangle.sources.has(flow.from.key) && rectangle.destinations.has(flow.to.key)) piece.flows.push(flow)
    }
  }
  const rules = [...pieces.values()].map(({ rectangle, flows: covered }): RecommendedRule => ({
    sources: groups.sideOf(tenant, rectangle.sources),
    destinations: groups.sideOf(tenant, rectangle.destinations),
    services: covered.map((flow) => flow.service),
    direction,
    records: covered.length,
    connections: covered.reduce((sum, { record }) => sum + record.count, 0),
    last: covered.reduce((last, { record }) => (record.last > last ? record.last : last), ''),
    name: '',
  }))
  return rules.sort((a, b) => b.connections - a.connections || compareText(keyOf(a), keyOf(b)))
}

function toEdge({ from, to }: SeenFlow): Edge {
  return { source: from.key, destination: to.key }
}

function keyOf({ sources, destinations, services }: RecommendedRule): string {
  return JSON.stringify([sources, destinations, services])
}

function nameRules(rules: readonly RecommendedRule[]): readonly RecommendedRule[] {
  const taken = new Set<string>()
  return rules.map((rule) => {
    const [from, to] = [rule.sources, rule.destinations].map((names) => {
      const [first = ''] = names
      const word = first.includes('.') || first.includes(':') ? 'outside' : first.replace('provider/', '')
      return word.slice(0, 25)
    })
    const name = toFreeName(`${from}-to-${to}`, taken)
    taken.add(name)
    return { ...rule, name }
  })
}
