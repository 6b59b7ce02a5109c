/** Connections that go with a migrated virtual machine: read out of one host's tables, put into another's. They carry state and no verdict (bpf/carry.h). */
import { known, unknown, type Address, type EndpointId, type HostPlan, type Observed } from '@hyperward/model'

import type { Kernel } from './apply.ts'
import { decodeAddress } from './decode.ts'
import { layout } from './render.ts'

const keyBytes = layout.conn.key
const connBytes = layout.conn.value
/** Key, connection, side. */
const recordBytes = keyBytes + connBytes + 8
// of struct conn_key
const zoneAt = 36
// of struct conn
const endpointAt = 64
const epochAt = 80
const flagsAt = 98
const originatorIsA = 1

/** Those whose side at one of these endpoints was admitted here. */
export function exportConnections({ bpf, loaded, names }: Kernel, endpoints: readonly EndpointId[]): Observed<Buffer> {
  const wanted = new Set(endpoints)
  const records: Buffer[] = []
  for (const map of ['conn_est', 'conn_new'] as const) {
    const read = bpf.readAll(loaded.maps[map], keyBytes, connBytes, loaded.capacity.connections)
    if (typeof read === 'number') return unknown(`connections cannot be read (errno ${-read})`)
    for (let i = 0; i < read.count; i += 1) {
      const conn = read.values.subarray(i * connBytes, (i + 1) * connBytes)
      for (const side of [0, 1]) {
        const endpoint = names.endpoints.nameOf(conn.readUInt32LE(endpointAt + 4 * side))
        if (conn.readUInt32LE(epochAt + 4 * side) === 0 || endpoint === null || !wanted.has(endpoint)) continue
        const tail = Buffer.alloc(8)
        tail.writeUInt32LE(side)
        records.push(read.keys.subarray(i * keyBytes, (i + 1) * keyBytes), conn, tail)
      }
    }
  }
  return known(Buffer.concat(records))
}

/**
 * The number taken over. What is not of an address that this plan gives to one of these endpoints is left out; each connection gets the zone it has here,
 * and is judged by the plan in force with its first packet.
 */
export function importConnections(
  { bpf, loaded }: Kernel,
  plan: HostPlan,
  endpoints: readonly EndpointId[],
  carried: Buffer,
): Observed<number> {
  if (carried.length % recordBytes !== 0) return unknown('the connections are not in the form that this agent reads')
  const zoneOf = new Map(plan.sections.zones.map(({ tenant, zone }) => [tenant, zone]))
  const wanted = new Set(endpoints)
  const zones = new Map<Address, number>()
  for (const { id, tenant, addresses } of plan.sections.endpoints) {
    const zone = zoneOf.get(tenant)
    if (wanted.has(id) && zone !== undefined) for (const address of addresses) zones.set(address, zone)
  }
  let taken = 0
  for (let at = 0; at < carried.length; at += recordBytes) {
    const record = Buffer.from(carried.subarray(at, at + recordBytes))
    const side = record.readUInt32LE(keyBytes + connBytes)
    if (side > 1) return unknown('the connections are not in the form that this agent reads')
    const isA = ((record.readUInt16LE(keyBytes + flagsAt) & originatorIsA) === originatorIsA) === (side === 0)
    const zone = zones.get(decodeAddress(record, isA ? 0 : 16))
    if (zone === undefined) continue
    record.writeUInt16LE(zone, zoneAt)
    const result = bpf.run(loaded.programs.carry_in, record)
    if (result < 0) return unknown(`a connection cannot be taken over (errno ${-result})`)
    taken += 1
  }
  return known(taken)
}
