/** What stands at each tap and what packets are judged by, from plan and attachments. */
import {
  toAddress,
  worldIdentity,
  prefixContains,
  toAddressValue,
  toPrefixValue,
  type Address,
  type EndpointId,
  type HostPlan,
  type HostPlanSections,
  type Identity,
  type Mac,
  type PrefixIdentity,
} from '@hyperward/model'

/** Where an endpoint is plugged in. */
export interface Attachment {
  readonly endpoint: EndpointId
  readonly ifindex: number
  readonly device: string
  /** ifindex of the bridge; 0 = none: the endpoint stays closed. */
  readonly segment: number
}

export interface Port {
  readonly ifindex: number
  readonly device: string
  readonly endpoint: EndpointId
  readonly mac: Mac
  /** With the EUI-64 link-local one; empty and `closed` = guarded, and nothing passes. */
  readonly addresses: readonly Address[]
  readonly closed: boolean
}

export interface LocalAddress {
  readonly address: Address
  readonly identity: Identity
  readonly zone: number
}

export interface Desired {
  readonly ports: readonly Port[]
  readonly local: readonly LocalAddress[]
  /** null without a plan: every port is closed then. */
  readonly sections: HostPlanSections | null
  readonly closedBecause: ReadonlyMap<number, string>
  /** Of the ports that are open. */
  readonly bridges: ReadonlySet<number>
}

/** Names come from domain definitions, and into nft's language. A tap of another name gets no chain, and the closed door stays before it. */
const deviceSyntax = /^[A-Za-z0-9_.:-]{1,15}$/

export function toDesired(plan: HostPlan | null, attachments: readonly Attachment[]): Desired {
  const sections = plan?.sections ?? null
  const planned = new Map(sections?.endpoints.map((endpoint) => [endpoint.id, endpoint]))
  const zones = new Map(sections?.zones.map((zone) => [zone.tenant, zone.zone]))
  const seen = new Set<EndpointId>()
  const closedBecause = new Map<number, string>()
  const ports: Port[] = []
  const owned = new Map<Address, number>()
  const bridges = new Set<number>()
  for (const { ifindex, device, endpoint: id, segment } of attachments.toSorted((a, b) => a.ifindex - b.ifindex)) {
    const endpoint = planned.get(id)
    const zone = endpoint === undefined ? undefined : zones.get(endpoint.tenant)
    if (!deviceSyntax.test(device)) {
      closedBecause.set(ifindex, 'the tap has a name that nft does not take')
      continue
    }
    const sameMac = endpoint !== undefined && owned.has(linkLocal(endpoint.mac))
    if (sections === null || endpoint === undefined || zone === undefined || seen.has(id) || sameMac || segment === 0) {
      const reason =
        sections === null
          ? 'this host has no plan'
          : endpoint === undefined
            ? 'the plan does not name this endpoint'
            : zone === undefined
              ? `the plan has no zone for tenant ${endpoint.tenant}`
              : seen.has(id)
                ? 'the endpoint is attached to another tap too'
                : sameMac
                  ? 'its MAC is another endpoint’s too'
                  : 'the tap is on no bridge, where the nftables driver cannot guard it'
      closedBecause.set(ifindex, reason)
      ports.push({ ifindex, device, endpoint: id, mac: macOf(id), addresses: [], closed: true })
      continue
    }
    seen.add(id)
    bridges.add(segment)
    // an address that two claim is one's alone
    const addresses = [...new Set([...endpoint.addresses, linkLocal(endpoint.mac)])].filter((one) => !owned.has(one))
    ports.push({ ifindex, device, endpoint: id, mac: endpoint.mac, addresses, closed: false })
    for (const address of addresses) owned.set(address, zone)
  }
  return { ports, local: sections === null ? [] : toLocal(sections, owned), sections, closedBecause, bridges }
}

/** The identity of an own address that the plan does not list is that of its network. */
function toLocal(sections: HostPlanSections, owned: ReadonlyMap<Address, number>): readonly LocalAddress[] {
  const exact = new Map(
    sections.addresses.filter(({ address }) => owned.has(address)).map(({ address, identity }) => [address, identity]),
  )
  return [...owned].map(([address, zone]) => ({
    address,
    zone,
    identity: exact.get(address) ?? longestMatch(sections.networks, address),
  }))
}

function longestMatch(networks: readonly PrefixIdentity[], address: Address): Identity {
  const value = toAddressValue(address)
  let best = -1
  let identity = worldIdentity
  for (const network of networks) {
    const prefix = toPrefixValue(network.prefix)
    if (prefix.length > best && prefixContains(prefix, value)) {
      best = prefix.length
      identity = network.identity
    }
  }
  return identity
}

/** fe80::/64 with the interface identifier made from the MAC (RFC 4291 appendix A). */
function linkLocal(mac: Mac): Address {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((byte) => Number.parseInt(byte, 16))
  const bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]
  return toAddress({ family: 6, number: bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) })
}

/** An endpoint's id ends with its MAC (core/model/ids.ts). */
function macOf(id: EndpointId): Mac {
  return id.slice(id.indexOf('/') + 1) as Mac
}
