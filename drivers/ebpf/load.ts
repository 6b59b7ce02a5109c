/** Loads the object into the kernel, on the pinned maps where they exist already: counters, connections and tables outlive the process. */
import { mkdirSync } from 'node:fs'

import { known, unknown, type Observed } from '@hyperward/model'

import type { Libbpf, Pointer } from './libbpf.ts'
import { pinDirectory, pinnedMapNames, programNames, type PinnedMapName, type ProgramName } from './names.ts'

/** Entries of the maps whose size may be chosen. A pinned map keeps the size it was made with. */
export interface TableSizes {
  readonly endpoints?: number
  readonly halfOpenConnections?: number
  readonly connections?: number
  readonly rules?: number
}

export interface Loaded {
  readonly object: Pointer
  readonly maps: Readonly<Record<PinnedMapName, number>>
  readonly programs: Readonly<Record<ProgramName, number>>
  readonly capacity: { readonly endpoints: number; readonly rules: number; readonly connections: number }
}

export function loadObject(bpf: Libbpf, objectPath: string, pinRoot: string, sizes: TableSizes): Observed<Loaded> {
  const directory = pinDirectory(pinRoot)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    return unknown(`${directory} cannot be made (is a bpf file system mounted there?): ${String(cause)}`)
  }
  const object = bpf.openObject(objectPath)
  if (object === null) return unknown(`${objectPath} cannot be opened: ${bpf.takeLog()}`)
  const fail = (what: string): Observed<Loaded> => {
    const log = bpf.takeLog()
    bpf.closeObject(object)
    return unknown(`${what}${log === '' ? '' : `: ${log}`}`)
  }
  for (const name of pinnedMapNames) {
    const map = bpf.findMap(object, name)
    if (map === null) return fail(`${objectPath} has no map ${name}`)
    const path = `${directory}/${name}`
    const entries = existingEntries(bpf, path) ?? chosenEntries(name, sizes)
    if (entries !== null && bpf.setMaxEntries(map, entries) < 0)
      return fail(`map ${name} cannot have ${entries} entries`)
    if (bpf.setPinPath(map, path) < 0) return fail(`map ${name} cannot be pinned at ${path}`)
  }
  const result = bpf.loadObject(object)
  if (result < 0) return fail(`the kernel refuses the programs (errno ${-result})`)
  bpf.takeLog()
  const fdOf = (name: PinnedMapName): number => bpf.mapFd(bpf.findMap(object, name))
  return known({
    object,
    maps: record(pinnedMapNames, fdOf),
    programs: record(programNames, (name) => bpf.programFd(object, name)),
    capacity: {
      endpoints: bpf.mapInfo(fdOf('drops'))?.maxEntries ?? 0,
      rules: bpf.mapInfo(fdOf('counters'))?.maxEntries ?? 0,
      connections: bpf.mapInfo(fdOf('conn_est'))?.maxEntries ?? 0,
    },
  })
}

function existingEntries(bpf: Libbpf, path: string): number | null {
  const fd = bpf.openPin(path)
  if (fd < 0) return null
  const entries = bpf.mapInfo(fd)?.maxEntries ?? null
  bpf.closeFd(fd)
  return entries
}

function chosenEntries(name: PinnedMapName, sizes: TableSizes): number | null {
  switch (name) {
    case 'endpoints':
    case 'drops':
    case 'budgets':
    case 'endpoint_names':
      return sizes.endpoints ?? null
    case 'conn_new':
      return sizes.halfOpenConnections ?? null
    case 'conn_est':
      return sizes.connections ?? null
    case 'counters':
    case 'rates':
    case 'rule_names':
    case 'steering':
      return sizes.rules ?? null
    case 'control_map':
    case 'zones':
    case 'hooks':
    case 'events':
    case 'gateways':
    case 'gateway_state':
    case 'gateway_ports':
    case 'gateway_counts':
    case 'gateway_seen':
    case 'gateway_names':
    case 'addresses':
    case 'networks4':
    case 'networks6':
    case 'services':
    case 'verdicts':
      return null
  }
}

function record<K extends string>(keys: readonly K[], valueOf: (key: K) => number): Readonly<Record<K, number>> {
  // fromEntries forgets the keys' type; every key is there
  return Object.fromEntries(keys.map((key) => [key, valueOf(key)])) as Record<K, number>
}
