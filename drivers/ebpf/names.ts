/** Every name of a kernel object that this driver makes. */

/** Raised with the layout of the maps: a program never reads maps of another shape, and old pins are left for the older agent. */
const layoutVersion = 3

export function pinDirectory(pinRoot: string): string {
  return `${pinRoot}/hyperward-${layoutVersion}`
}

export const tableNames = ['addresses', 'networks4', 'networks6', 'services', 'verdicts'] as const
export type TableName = (typeof tableNames)[number]

/** Pinned, so that they outlive this process; `control_map` first because it names the slot in force. */
export const pinnedMapNames = [
  'control_map',
  'endpoints',
  'conn_new',
  'conn_est',
  'zones',
  'counters',
  'drops',
  'budgets',
  'rates',
  'rule_names',
  'endpoint_names',
  'hooks',
  'events',
  'steering',
  'gateways',
  'gateway_state',
  'gateway_ports',
  'gateway_counts',
  'gateway_seen',
  'gateway_names',
  ...tableNames,
] as const
export type PinnedMapName = (typeof pinnedMapNames)[number]

export const programNames = [
  'from_vm',
  'to_vm',
  'set_control',
  'collect',
  'carry_in',
  'from_gateway',
  'to_gateway',
  'send_probe',
] as const
export type ProgramName = (typeof programNames)[number]

/** Our filters on a tap's clsact are known by this handle at this priority; every other filter is somebody else's. */
export const filterHandle = 0x48575244
export const filterPriority = 1

/** Kernel map names end at 15 bytes. */
export function tableMapName(table: TableName): string {
  return `hw_${table}`.slice(0, 15)
}
