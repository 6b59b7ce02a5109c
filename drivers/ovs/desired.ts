/** What a bridge should hold so that an endpoint's traffic goes through its gateways: flows and fast-failover groups. */
import type { Mac } from '@hyperward/model'

import { deliverTable, entryTable, firstGroup, priorities } from './names.ts'

export interface OvsGateway {
  readonly name: string
  /** Devices that are ports of the bridge. */
  readonly inside: string
  readonly outside: string
  /** false: a probe found it hung; its links may be up all the same. */
  readonly up: boolean
}

export interface OvsEndpoint {
  readonly mac: Mac
  readonly device: string
  /** In order of preference; what it sends goes through the first whose link is up. */
  readonly gateways: readonly string[]
  /** Without any of them: on without inspection, or not at all. */
  readonly failOpen: boolean
}

export interface Steering {
  readonly gateways: readonly OvsGateway[]
  readonly endpoints: readonly OvsEndpoint[]
}

export type FlowTarget =
  | { readonly kind: 'group'; readonly group: number }
  | { readonly kind: 'table'; readonly table: number }
  | { readonly kind: 'output'; readonly port: number }
  | { readonly kind: 'normal' }
  | { readonly kind: 'drop' }
  /** On to the table, as if it had come in at that port. */
  | { readonly kind: 'as-from'; readonly port: number; readonly table: number }

export interface Flow {
  readonly table: number
  readonly priority: number
  readonly inPort: number | null
  readonly ethSrc: Mac | null
  readonly ethDst: Mac | null
  readonly target: FlowTarget
}

export interface Bucket {
  /** Live while this port is. */
  readonly watchPort: number
  readonly target:
    | { readonly kind: 'output'; readonly port: number }
    | { readonly kind: 'table'; readonly table: number }
}

/** Of type fast failover: the first live bucket; none = dropped. */
export interface Group {
  readonly id: number
  readonly buckets: readonly Bucket[]
}

type Match = Pick<Flow, 'inPort' | 'ethSrc' | 'ethDst'>

export interface Desired {
  readonly flows: readonly Flow[]
  readonly groups: readonly Group[]
}

/** `ports`: OpenFlow numbers of the bridge's devices. What has no port there is left out: a gateway as if it were down, an endpoint until it comes. */
export function toDesired(steering: Steering, ports: ReadonlyMap<string, number>, door: boolean): Desired {
  const flows: Flow[] = []
  const groups = new Map<string, Group>()
  const flow = (table: number, priority: number, match: Partial<Match>, target: FlowTarget): void => {
    flows.push({ table, priority, inPort: null, ethSrc: null, ethDst: null, ...match, target })
  }
  const gateways = new Map(steering.gateways.map((gateway) => [gateway.name, gateway]))

  function groupOf(endpoint: OvsEndpoint, port: number, way: 'inside' | 'outside'): FlowTarget {
    const key = `${way} ${endpoint.mac}`
    const found = groups.get(key)
    if (found !== undefined) return { kind: 'group', group: found.id }
    const buckets = endpoint.gateways.flatMap((name): Bucket[] => {
      const gateway = gateways.get(name)
      const gatewayPort = gateway?.up === true ? ports.get(gateway[way]) : undefined
      return gatewayPort === undefined
        ? []
        : [{ watchPort: gatewayPort, target: { kind: 'output', port: gatewayPort } }]
    })
    // a bucket must watch something: without the endpoint's own port there is nothing to deliver either
    if (endpoint.failOpen) buckets.push({ watchPort: port, target: { kind: 'table', table: deliverTable } })
    const group = { id: firstGroup + groups.size, buckets }
    groups.set(key, group)
    return { kind: 'group', group: group.id }
  }

  const endpoints = steering.endpoints
    .flatMap((endpoint) => {
      const port = ports.get(endpoint.device)
      return port === undefined ? [] : [{ endpoint, port }]
    })
    .toSorted((a, b) => (a.endpoint.mac < b.endpoint.mac ? -1 : 1))
  // a bridge whose fail mode is secure has no flow of its own for the others
  if (door) flow(entryTable, priorities.anyone, {}, { kind: 'normal' })
  flow(deliverTable, priorities.anyone, {}, { kind: 'normal' })
  for (const { inside, outside } of steering.gateways) {
    for (const device of [inside, outside]) {
      const inPort = ports.get(device)
      if (inPort === undefined) continue
      // loop-free: what comes out of a gateway meets no redirection again; what belongs to no endpoint ends here
      flow(entryTable, priorities.fromGateway, { inPort }, { kind: 'drop' })
      for (const { endpoint, port } of endpoints) {
        const { mac } = endpoint
        const deliver = { kind: 'table', table: deliverTable } as const
        flow(entryTable, priorities.toEndpointFromGateway, { inPort, ethDst: mac }, deliver)
        // switched as if it had just been sent: the bridge learns the endpoint's MAC where it is
        const asSent = { kind: 'as-from', port, table: deliverTable } as const
        flow(entryTable, priorities.fromEndpointFromGateway, { inPort, ethSrc: mac }, asSent)
      }
    }
  }
  for (const [index, { endpoint, port }] of endpoints.entries()) {
    const inward = groupOf(endpoint, port, 'inside')
    const outward = groupOf(endpoint, port, 'outside')
    flow(entryTable, priorities.fromEndpoint, { inPort: port }, inward)
    flow(entryTable, priorities.toEndpoint, { ethDst: endpoint.mac }, outward)
    flow(deliverTable, priorities.deliver, { ethDst: endpoint.mac }, { kind: 'output', port })
    // between two of them: in opposite ways through one gateway, that of the lower MAC
    for (const other of endpoints.slice(index + 1)) {
      flow(entryTable, priorities.betweenProtected, { inPort: port, ethDst: other.endpoint.mac }, inward)
      flow(entryTable, priorities.betweenProtected, { inPort: other.port, ethDst: endpoint.mac }, outward)
    }
  }
  return { flows, groups: [...groups.values()] }
}
