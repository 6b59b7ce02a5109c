/** Reads back what the kernel holds. What cannot be read is unknown, never empty. */
import { known, unknown, type EndpointId, type Observed, type RuleRef } from '@hyperward/model'

import {
  decodeAddresses,
  decodeEndpoint,
  decodeNetworks,
  decodeServices,
  decodeVerdicts,
  type Entries,
} from './decode.ts'
import type { EndpointRow, RuleLabel, Tables } from './desired.ts'
import type { Libbpf } from './libbpf.ts'
import type { Loaded } from './load.ts'
import { tableNames, type TableName } from './names.ts'
import type { Registry } from './registry.ts'
import { layout, renderKey } from './render.ts'

export interface Control {
  readonly slot: 0 | 1
  /** 0 = never loaded. */
  readonly epoch: bigint
  readonly mark: number
  /** 0 = not yet told to the programs. */
  readonly tickNs: number
}

export interface Names {
  readonly rules: Registry<RuleRef>
  readonly endpoints: Registry<EndpointId>
}

export function readControl(bpf: Libbpf, loaded: Loaded): Observed<Control> {
  const value = Buffer.alloc(layout.control.value)
  const result = bpf.lookup(loaded.maps.control_map, renderKey(0), value)
  if (result < 0) return unknown(`control_map cannot be read (errno ${-result})`)
  const generation = value.readBigUInt64LE(0)
  return known({
    slot: generation & 1n ? 1 : 0,
    epoch: generation >> 1n,
    mark: value.readUInt32LE(8),
    tickNs: value.readUInt32LE(12),
  })
}

/** File descriptors of the tables in a slot; the caller closes them. */
export function openTables(bpf: Libbpf, loaded: Loaded, slot: 0 | 1): Observed<Readonly<Record<TableName, number>>> {
  const fds: Partial<Record<TableName, number>> = {}
  for (const table of tableNames) {
    const id = Buffer.alloc(4)
    const found = bpf.lookup(loaded.maps[table], renderKey(slot), id)
    const fd = found < 0 ? found : bpf.fdOfMapId(id.readUInt32LE(0))
    if (fd < 0) {
      for (const open of Object.values(fds)) bpf.closeFd(open)
      return unknown(`table ${table} of slot ${slot} cannot be opened (errno ${-fd})`)
    }
    fds[table] = fd
  }
  // the loop has set every key
  return known(fds as Record<TableName, number>)
}

export function readTables(bpf: Libbpf, fds: Readonly<Record<TableName, number>>, names: Names): Observed<Tables> {
  const read = (table: Exclude<TableName, 'services'>, key: number, value: number): Entries | string => {
    const limit = bpf.mapInfo(fds[table])?.maxEntries ?? 0
    const entries = bpf.readAll(fds[table], key, value, limit)
    return typeof entries === 'number' ? `table ${table} cannot be read (errno ${-entries})` : entries
  }
  const addresses = read('addresses', layout.address.key, layout.address.value)
  const networks4 = read('networks4', layout.network4.key, layout.network4.value)
  const networks6 = read('networks6', layout.network6.key, layout.network6.value)
  const rows = read('verdicts', layout.verdict.key, layout.verdict.value)
  const bytes = Buffer.alloc(layout.services.value)
  const services = bpf.lookup(fds.services, renderKey(0), bytes)
  if (typeof addresses === 'string') return unknown(addresses)
  if (typeof networks4 === 'string') return unknown(networks4)
  if (typeof networks6 === 'string') return unknown(networks6)
  if (typeof rows === 'string') return unknown(rows)
  if (services < 0) return unknown(`table services cannot be read (errno ${-services})`)
  const decoded = decodeServices(bytes)
  const ref = names.rules.nameOf(decoded.defaultRule)
  if (ref === null) return unknown('the default rule of the loaded tables has no name')
  const fallback: RuleLabel = {
    ref,
    action: 'drop',
    log: decoded.defaultLog,
    ...(decoded.defaultRate === 0 ? {} : { logRate: decoded.defaultRate }),
  }
  const verdicts = decodeVerdicts(rows, fallback, (index) => names.rules.nameOf(index))
  if (verdicts === null) return unknown('a loaded verdict makes no sense')
  return known({
    ...decodeAddresses(addresses),
    networks: decodeNetworks(networks4, networks6),
    services: decoded.services,
    ...verdicts,
  })
}

/** Rows that name no endpoint of ours are told as drift and removed. */
export function readEndpoints(
  bpf: Libbpf,
  loaded: Loaded,
  names: Names,
): Observed<{ readonly rows: ReadonlyMap<number, EndpointRow>; readonly nameless: readonly number[] }> {
  const read = bpf.readAll(loaded.maps.endpoints, layout.endpoint.key, layout.endpoint.value, loaded.capacity.endpoints)
  if (typeof read === 'number') return unknown(`endpoints cannot be read (errno ${-read})`)
  const rows = new Map<number, EndpointRow>()
  const nameless: number[] = []
  for (let i = 0; i < read.count; i += 1) {
    const ifindex = read.keys.readUInt32LE(i * layout.endpoint.key)
    const value = read.values.subarray(i * layout.endpoint.value, (i + 1) * layout.endpoint.value)
    const row = decodeEndpoint(ifindex, value, (index) => names.endpoints.nameOf(index))
    if (row === null) nameless.push(ifindex)
    else rows.set(ifindex, row)
  }
  return known({ rows, nameless })
}
