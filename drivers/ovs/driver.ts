/**
 * Steering on an Open vSwitch bridge, by OVSDB and OpenFlow over their sockets: observed, compared, changed by one atomic bundle. Only flows with our cookie and groups of
 * our range are ever touched. With `door` the bridge's fail mode is secure: after a restart of ovs-vswitchd it passes nothing until its flows are back.
 */
import { setTimeout } from 'node:timers/promises'

import { known, unknown, type Observed } from '@hyperward/model'

import { decodeFlows, decodeGroups } from './decode.ts'
import { toDesired, type Steering } from './desired.ts'
import { diff, type Conflict, type Current, type Step } from './diff.ts'
import { allTables, deliverTable, entryTable, gatewayTag, ownCookie } from './names.ts'
import { openOpenFlow, type OpenFlow } from './openflow.ts'
import { transact, type OvsdbRow } from './ovsdb.ts'
import {
  messageTypes,
  renderFlowAdd,
  renderFlowRemoval,
  renderFlowRequest,
  renderGroupMod,
  renderGroupRequest,
} from './render.ts'

export interface OvsDriverOptions {
  readonly bridge: string
  /** Where the sockets are; default /var/run/openvswitch. */
  readonly runDirectory?: string
  /** Make the bridge's fail mode secure. */
  readonly door: boolean
}

export interface OvsReport {
  readonly outcome: 'unchanged' | 'applied' | 'failed'
  readonly reason: string | null
  readonly steps: number
}

export interface OvsDriver {
  reconcile(steering: Steering): Promise<OvsReport>
  /** What differs from that steering now; changes nothing. */
  verify(steering: Steering): Promise<Observed<{ readonly drift: readonly string[] }>>
  /** Takes away all that is ours; the fail mode stays. */
  remove(): Promise<OvsReport>
}

const configureTurns = 250
const configureTurnMs = 20

interface Bridge {
  readonly ports: ReadonlyMap<string, number>
  readonly failMode: string | null
  /** VLAN tags of ports. */
  readonly tags: ReadonlyMap<string, number>
}

export function createOvsDriver(options: OvsDriverOptions): OvsDriver {
  const directory = options.runDirectory ?? '/var/run/openvswitch'
  const database = `${directory}/db.sock`
  const management = `${directory}/${options.bridge}.mgmt`

  async function work(
    act: (flow: OpenFlow, bridge: Bridge, current: Current) => Promise<OvsReport>,
  ): Promise<OvsReport> {
    const bridge = await readBridge(database, options.bridge)
    if (!bridge.known) return failed(bridge.reason)
    const flow = await openOpenFlow(management)
    if (!flow.known) return failed(flow.reason)
    try {
      const current = await observe(flow.value)
      return current.known ? await act(flow.value, bridge.value, current.value) : failed(current.reason)
    } finally {
      flow.value.close()
    }
  }

  /**
   * First: as ordinary ports the two of a gateway are a loop, and a switch that changes its fail mode forgets its flows. A conflict is found before anything is
   * changed. The number of changes, or why not.
   */
  async function configure(steering: Steering): Promise<number | string> {
    const bridge = await readBridge(database, options.bridge)
    if (!bridge.known) return bridge.reason
    const untagged = toUntagged(steering, bridge.value)
    if ('conflict' in untagged) return untagged.conflict
    const closing = options.door && bridge.value.failMode !== 'secure'
    if (untagged.length === 0 && !closing) return 0
    const found = await work(async (flow, { ports }, current) => {
      const steps = diff(current, toDesired(steering, ports, options.door))
      if ('conflict' in steps) return failed(steps.conflict)
      const erased = closing ? await findForeign(flow) : null
      return erased === null ? { outcome: 'unchanged', reason: null, steps: 0 } : failed(erased)
    })
    if (found.reason !== null) return found.reason
    const secure = closing ? [update('Bridge', options.bridge, { fail_mode: 'secure' })] : []
    const tags = untagged.map((device) => update('Port', device, { tag: gatewayTag }))
    const failure = await configureSwitch(database, [...secure, ...tags])
    return failure ?? secure.length + tags.length
  }

  return {
    async reconcile(steering) {
      const configured = await configure(steering)
      if (typeof configured === 'string') return failed(configured)
      return work(async (flow, bridge, current) => {
        const steps = diff(current, toDesired(steering, bridge.ports, options.door))
        if ('conflict' in steps) return failed(steps.conflict)
        const reason = await apply(flow, steps)
        if (reason !== null) return failed(reason)
        const count = steps.length + configured
        return { outcome: count === 0 ? 'unchanged' : 'applied', reason: null, steps: count }
      })
    },
    async verify(steering) {
      const drift: string[] = []
      const report = await work(async (_flow, bridge, current) => {
        const steps = diff(current, toDesired(steering, bridge.ports, options.door))
        if ('conflict' in steps) drift.push(steps.conflict)
        else drift.push(...steps.map(describe))
        const untagged = toUntagged(steering, bridge)
        if ('conflict' in untagged) drift.push(untagged.conflict)
        else drift.push(...untagged.map((device) => `${device} is an ordinary port, and no gateway's`))
        if (options.door && bridge.failMode !== 'secure') drift.push(`the fail mode of ${options.bridge} is not secure`)
        return { outcome: 'unchanged', reason: null, steps: 0 }
      })
      return report.outcome === 'failed' ? unknown(report.reason ?? 'unknown') : known({ drift })
    },
    remove: () =>
      work(async (flow, _bridge, current) => {
        const steps = diff(current, { flows: [], groups: [] })
        if ('conflict' in steps) return failed(steps.conflict)
        const reason = await apply(flow, steps)
        return reason === null ? { outcome: 'applied', reason, steps: steps.length } : failed(reason)
      }),
  }
}

function failed(reason: string): OvsReport {
  return { outcome: 'failed', reason, steps: 0 }
}

async function observe(flow: OpenFlow): Promise<Observed<Current>> {
  const flows = []
  for (const table of [entryTable, deliverTable]) {
    const read = await flow.request(renderFlowRequest(table))
    if (!read.known) return read
    const decoded = decodeFlows(read.value)
    if (decoded === null) return unknown(`the flows of table ${table} make no sense`)
    flows.push(...decoded)
  }
  const read = await flow.request(renderGroupRequest())
  if (!read.known) return read
  const groups = decodeGroups(read.value)
  return groups === null ? unknown('the groups make no sense') : known({ flows, groups })
}

/** Why the fail mode is not to be changed: the switch would forget flows of somebody else. Its own, which switches all as a bridge does, may go. */
async function findForeign(flow: OpenFlow): Promise<string | null> {
  const read = await flow.request(renderFlowRequest(allTables))
  if (!read.known) return read.reason
  const flows = decodeFlows(read.value)
  if (flows === null) return 'the flows make no sense'
  const foreign = flows.find(({ cookie, priority }) => cookie !== ownCookie && !(cookie === 0n && priority === 0))
  if (foreign === undefined) return null
  const flowText = `table ${foreign.table}, priority ${foreign.priority}`
  return `a change of the fail mode would erase others' flows (${flowText}); set fail_mode=secure on the bridge, put them back, and try again`
}

async function apply(flow: OpenFlow, steps: readonly Step[]): Promise<string | null> {
  if (steps.length === 0) return null
  return flow.commit(
    steps.map((step) => {
      switch (step.kind) {
        case 'group':
          return { type: messageTypes.groupMod, body: renderGroupMod(step.group, step.command) }
        case 'add-flow':
          return { type: messageTypes.flowMod, body: renderFlowAdd(step.flow) }
        case 'remove-flow':
          return { type: messageTypes.flowMod, body: renderFlowRemoval(step.observed) }
      }
    }),
  )
}

function describe(step: Step): string {
  switch (step.kind) {
    case 'group':
      return `group ${step.group.id} differs: ${step.command}`
    case 'add-flow':
      return `a flow of table ${step.flow.table}, priority ${step.flow.priority} is missing or differs`
    case 'remove-flow':
      return `table ${step.observed.table} has a flow of ours that nobody wants, priority ${step.observed.priority}`
  }
}

/** Ports of the bridge with their OpenFlow numbers; one that the switch could not open has none. */
async function readBridge(database: string, name: string): Promise<Observed<Bridge>> {
  const select = (table: string, columns: readonly string[], where: readonly unknown[] = []): OvsdbRow => ({
    op: 'select',
    table,
    where,
    columns,
  })
  const read = await transact(database, [
    select('Bridge', ['ports', 'fail_mode'], [['name', '==', name]]),
    select('Port', ['_uuid', 'name', 'tag', 'interfaces']),
    select('Interface', ['_uuid', 'name', 'ofport']),
  ])
  if (!read.known) return read
  const [bridges = [], ports = [], interfaces = []] = read.value
  const [bridge] = bridges
  if (bridge === undefined) return unknown(`there is no bridge ${name}`)
  const ownPorts = new Set(toIds(bridge['ports']))
  const own = new Set(
    ports.flatMap((port) => (toIds(port['_uuid']).some((id) => ownPorts.has(id)) ? toIds(port['interfaces']) : [])),
  )
  const numbers = new Map<string, number>()
  for (const row of interfaces) {
    const { name: device, ofport } = row
    if (!toIds(row['_uuid']).some((id) => own.has(id))) continue
    if (typeof device === 'string' && typeof ofport === 'number' && ofport > 0) numbers.set(device, ofport)
  }
  const tags = new Map<string, number>()
  for (const { name: port, tag } of ports) if (typeof port === 'string' && typeof tag === 'number') tags.set(port, tag)
  const failMode = bridge['fail_mode']
  return known({ ports: numbers, failMode: typeof failMode === 'string' ? failMode : null, tags })
}

/** `["uuid", "…"]`, or `["set", [["uuid", "…"], …]]`. */
function toIds(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  const [kind, content]: readonly unknown[] = value
  if (kind === 'uuid' && typeof content === 'string') return [content]
  return kind === 'set' && Array.isArray(content) ? content.flatMap(toIds) : []
}

/** Ports of gateways that are still ordinary ones. One in a VLAN of somebody else's choice is not taken. */
function toUntagged({ gateways }: Steering, { ports, tags }: Bridge): readonly string[] | Conflict {
  const devices = gateways.flatMap(({ inside, outside }) => [inside, outside]).filter((device) => ports.has(device))
  const taken = devices.find((device) => (tags.get(device) ?? gatewayTag) !== gatewayTag)
  if (taken !== undefined) return { conflict: `port ${taken} is in VLAN ${tags.get(taken)}: it is no gateway's` }
  return devices.filter((device) => !tags.has(device))
}

function update(table: string, name: string, row: OvsdbRow): OvsdbRow {
  return { op: 'update', table, where: [['name', '==', name]], row }
}

/** Waits until the switch does as the database says. */
async function configureSwitch(database: string, changes: readonly OvsdbRow[]): Promise<string | null> {
  const done = await transact(database, [
    ...changes,
    { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
    { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] },
  ])
  if (!done.known) return done.reason
  const wanted = done.value.at(-1)?.[0]?.['next_cfg']
  for (let turn = 0; turn < configureTurns; turn += 1) {
    const read = await transact(database, [{ op: 'select', table: 'Open_vSwitch', where: [], columns: ['cur_cfg'] }])
    if (!read.known) return read.reason
    const reached = read.value[0]?.[0]?.['cur_cfg']
    if (typeof reached === 'number' && typeof wanted === 'number' && reached >= wanted) return null
    await setTimeout(configureTurnMs)
  }
  return 'ovs-vswitchd does not do as the database says'
}
