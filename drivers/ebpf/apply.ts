/** Carries out a difference. Every function answers null or the reason why it failed; after a failure nothing is more open than before. */
import type { Libbpf } from './libbpf.ts'
import type { Loaded } from './load.ts'
import { toAddressRow, toVerdictRow, type Difference, type Section, type Step, type StepKind } from './diff.ts'
import type { Tables } from './desired.ts'
import type { Control, Names } from './observe.ts'
import { tableMapName, type TableName } from './names.ts'
import {
  layout,
  renderAddress,
  renderAddressValue,
  renderEndpoint,
  renderKey,
  renderNetwork,
  renderServices,
  renderVerdictKey,
  renderVerdictValue,
} from './render.ts'

export interface Kernel {
  readonly bpf: Libbpf
  readonly loaded: Loaded
  readonly names: Names
}

type TableFds = Readonly<Record<TableName, number>>
/** Steps on tables need tables: none loaded is an error, never a success. */
type Executors = { readonly [K in StepKind]: (kernel: Kernel, tables: TableFds | null, step: Step<K>) => number }

const ENOENT = -2

const executors: Executors = {
  'remove-endpoint': ({ bpf, loaded }, _tables, step) =>
    ignoreAbsent(bpf.remove(loaded.maps.endpoints, renderKey(step.ifindex))),
  'set-endpoint': ({ bpf, loaded, names }, _tables, { row }) => {
    const index = names.endpoints.indexOf(row.endpoint)
    return bpf.update(loaded.maps.endpoints, renderKey(row.ifindex), renderEndpoint(row, index))
  },
  'set-verdict': ({ bpf, names }, tables, { row }) =>
    bpf.update(
      fdOf(tables, 'verdicts'),
      renderVerdictKey(row.verdict),
      renderVerdictValue(row, (ref) => names.rules.indexOf(ref)),
    ),
  'remove-verdict': ({ bpf }, tables, step) =>
    ignoreAbsent(bpf.remove(fdOf(tables, 'verdicts'), renderVerdictKey(step.verdict))),
  'set-address': ({ bpf }, tables, { row }) =>
    bpf.update(fdOf(tables, 'addresses'), renderAddress(row.address), renderAddressValue(row)),
  'remove-address': ({ bpf }, tables, step) =>
    ignoreAbsent(bpf.remove(fdOf(tables, 'addresses'), renderAddress(step.address))),
}

export function runSteps(kernel: Kernel, tables: TableFds | null, steps: readonly Step[]): string | null {
  for (const step of steps) {
    const result = runStep(kernel, tables, step)
    if (result < 0) return `step ${step.kind} failed (errno ${-result})`
  }
  return null
}

function runStep<K extends StepKind>(kernel: Kernel, tables: TableFds | null, step: Step<K>): number {
  // TypeScript does not see that the kind chosen here is the step's own
  const executor = executors[step.kind] as (kernel: Kernel, tables: TableFds | null, step: Step<K>) => number
  return executor(kernel, tables, step)
}

/** A descriptor that no call accepts when there is no table (EBADF). */
function fdOf(tables: TableFds | null, table: TableName): number {
  return tables === null ? -1 : tables[table]
}

function ignoreAbsent(result: number): number {
  return result === ENOENT ? 0 : result
}

/** One store: packets after it see the new slot and epoch. */
export function setControl({ bpf, loaded }: Kernel, control: Control): string | null {
  const context = Buffer.alloc(16)
  context.writeBigUInt64LE((control.epoch << 1n) | BigInt(control.slot))
  context.writeUInt32LE(control.mark, 8)
  context.writeUInt32LE(control.tickNs, 12)
  const result = bpf.run(loaded.programs.set_control, context)
  return result < 0 ? `the generation could not be changed (errno ${-result})` : null
}

/**
 * Fills the slot not in force: sections to rebuild get new tables, the others share those in force. Packets still reading an older use of that slot are waited for:
 * the kernel waits for a grace period after each change of an outer map, and the first change here writes what is there already.
 */
export function fillSlot(
  kernel: Kernel,
  current: { readonly slot: 0 | 1; readonly tables: TableFds | null },
  desired: Tables,
  rebuild: Difference['rebuild'],
): { readonly tables: TableFds; readonly slot: 0 | 1 } | string {
  const { bpf, loaded } = kernel
  const slot = current.slot === 0 ? 1 : 0
  const made: Partial<Record<TableName, number>> = {}
  const fail = (reason: string): string => {
    for (const fd of Object.values(made)) bpf.closeFd(fd)
    return reason
  }
  if (current.tables !== null) {
    const waited = bpf.update(loaded.maps.services, renderKey(current.slot), renderKey(current.tables.services))
    if (waited < 0) return `the slot in force cannot be written (errno ${-waited})`
  }
  const builders: Readonly<Record<Section, readonly TableName[]>> = {
    addresses: ['addresses'],
    networks: ['networks4', 'networks6'],
    services: ['services'],
    verdicts: ['verdicts'],
  }
  for (const section of Object.keys(builders) as Section[]) {
    for (const table of builders[section]) {
      const shared = current.tables?.[table]
      if (shared !== undefined && !rebuild.includes(section)) {
        const result = bpf.update(loaded.maps[table], renderKey(slot), renderKey(shared))
        if (result < 0) return fail(`table ${table} cannot be shared (errno ${-result})`)
        continue
      }
      const fd = fillTable(kernel, table, desired)
      if (fd < 0) return fail(`table ${table} cannot be filled (errno ${-fd})`)
      made[table] = fd
      const result = bpf.update(loaded.maps[table], renderKey(slot), renderKey(fd))
      if (result < 0) return fail(`table ${table} cannot be put in its slot (errno ${-result})`)
    }
  }
  const tables = { ...current.tables, ...made }
  // every table is either shared or made
  return { tables: tables as TableFds, slot }
}

interface Content {
  readonly type: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly entries: number
  readonly flags: number
  readonly count: number
  readonly keys: Buffer
  readonly values: Buffer
}

const mapTypes = { hash: 1, array: 2, lpmTrie: 11 } as const
const noPrealloc = 1

/** A new map with the section's rows, or a negative errno. */
function fillTable(kernel: Kernel, table: TableName, desired: Tables): number {
  const content = renderTable(kernel, table, desired)
  const { bpf } = kernel
  const fd = bpf.createMap({ ...content, name: tableMapName(table) })
  if (fd < 0) return fd
  const result =
    content.count === 1 && table === 'services'
      ? bpf.update(fd, content.keys, content.values)
      : bpf.updateBatch(fd, content.keys, content.values, content.count)
  if (result >= 0) return fd
  bpf.closeFd(fd)
  return result
}

function renderTable({ names }: Kernel, table: TableName, desired: Tables): Content {
  switch (table) {
    case 'addresses': {
      const { key, value } = layout.address
      const keys = Buffer.alloc(desired.addresses.length * key)
      const values = Buffer.alloc(desired.addresses.length * value)
      for (const [i, row] of desired.addresses.entries()) {
        renderAddress(row.address, keys, i * key)
        renderAddressValue(toAddressRow(desired, row), values, i * value)
      }
      return hash(key, value, desired.addresses.length, keys, values)
    }
    case 'verdicts': {
      const { key, value } = layout.verdict
      const keys = Buffer.alloc(desired.verdicts.length * key)
      const values = Buffer.alloc(desired.verdicts.length * value)
      // a rule that decided nothing yet is counted too: with zero
      for (const label of desired.rules.values()) names.rules.indexOf(label.ref)
      for (const [i, verdict] of desired.verdicts.entries()) {
        renderVerdictKey(verdict, keys, i * key)
        renderVerdictValue(toVerdictRow(desired, verdict), (ref) => names.rules.indexOf(ref), values, i * value)
      }
      return hash(key, value, desired.verdicts.length, keys, values)
    }
    case 'networks4':
    case 'networks6': {
      const family = table === 'networks4' ? 4 : 6
      const { key, value } = family === 4 ? layout.network4 : layout.network6
      const rows = desired.networks
        .map((row) => ({ ...renderNetwork(row.prefix), identity: row.identity }))
        .filter((row) => row.family === family)
      return {
        ...hash(
          key,
          value,
          rows.length,
          Buffer.concat(rows.map((row) => row.key)),
          Buffer.concat(rows.map((row) => renderKey(row.identity))),
        ),
        type: mapTypes.lpmTrie,
      }
    }
    case 'services': {
      const label = desired.rules.get(0)
      const rule = label === undefined ? 0 : names.rules.indexOf(label.ref)
      return {
        type: mapTypes.array,
        keyBytes: layout.services.key,
        valueBytes: layout.services.value,
        entries: 1,
        flags: 0,
        count: 1,
        keys: renderKey(0),
        values: renderServices(desired.services, rule, label),
      }
    }
  }
}

/** With room to grow in place. */
function hash(keyBytes: number, valueBytes: number, count: number, keys: Buffer, values: Buffer): Content {
  const entries = count + Math.max(1024, Math.ceil(count / 4))
  return { type: mapTypes.hash, keyBytes, valueBytes, entries, flags: noPrealloc, count, keys, values }
}
