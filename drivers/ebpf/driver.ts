/**
 * The endpoint driver: keeps the kernel's maps and filters as plan and attachments want them. What it loads stays loaded without it: it may stop, be killed and come back at any time.
 * One process drives one pin root; calls of `reconcile` wait for each other.
 */
import { randomInt } from 'node:crypto'

import {
  known,
  unknown,
  type DatapathEvent,
  type DropReason,
  type EndpointId,
  type HostName,
  type HostPlan,
  type Observed,
  type RuleCounter,
  type RuleRef,
} from '@hyperward/model'

import { exportConnections, importConnections } from './carry.ts'
import { createReconcile, type ReconcileReport } from './reconcile.ts'
import type { Attachment } from './desired.ts'
import { createGateways, type GatewayReport, type Inspection } from './gateways.ts'
import { decodeEvent } from './events.ts'
import { loadLibbpf, type Libbpf } from './libbpf.ts'
import { loadObject, type Loaded, type TableSizes } from './load.ts'
import { readControl, type Names } from './observe.ts'
import { readDrops, readRuleCounters } from './read-counts.ts'
import type { Realized } from './realized.ts'
import { openRegistry } from './registry.ts'
import { layout, renderKey } from './render.ts'
import { setControl } from './apply.ts'

export interface EbpfDriverOptions {
  /** The compiled bpf/endpoint.bpf.c. */
  readonly objectPath: string
  /** A folder in a mounted bpf file system, or the name of one to be made there. */
  readonly pinRoot: string
  readonly host: HostName
  readonly now: () => Date
  readonly tableSizes?: TableSizes
}

export interface EbpfDriver {
  /** Makes the kernel what plan and attachments say. null plan: every attachment is closed. What is no longer listed is detached. */
  reconcile(
    plan: HostPlan | null,
    attachments: readonly Attachment[],
    inspection?: Inspection,
  ): Promise<ReconcileReport>
  /** Reads maps and filters back and compares them with the last reconcile. What differs is repaired by the next one. */
  verify(): Promise<Observed<{ readonly drift: readonly string[] }>>
  /** Health and counters of the gateways; each call judges the probes of the last one and sends new ones. */
  probeGateways(): Observed<readonly GatewayReport[]>
  /** Reads the kernel and compares it with this plan and these attachments, endpoint by endpoint; changes nothing. */
  inspect(plan: HostPlan | null, attachments: readonly Attachment[]): Promise<Observed<Realized>>
  readCounters(): Observed<readonly RuleCounter[]>
  readDrops(): Observed<readonly EndpointDrops[]>
  /** Gives each event told since the last call; the number is that of records read. */
  pollEvents(onEvent: (event: DatapathEvent) => void): Observed<number>
  /** Ends connections whose time is over, so that their end is told; the datapath treats them as absent anyway. */
  collectExpired(): Observed<number>
  /** Connections of these endpoints, for `importConnections` of the host they move to. */
  exportConnections(endpoints: readonly EndpointId[]): Observed<Buffer>
  /** The number taken over; each is judged by the plan in force with its first packet here. */
  importConnections(plan: HostPlan, endpoints: readonly EndpointId[], carried: Buffer): Observed<number>
  /** Frees what this process holds; what is loaded stays. */
  close(): void
}

export interface EndpointDrops {
  readonly endpoint: EndpointId
  readonly reason: DropReason
  readonly packets: number
}

const gatewayCapacity = 64

/** Unknown, with the reason, where the kernel cannot do it: nothing has been attached then, and closed doors stay closed. */
export function createEbpfDriver(options: EbpfDriverOptions): Observed<EbpfDriver> {
  const bpf = loadLibbpf()
  if (!bpf.known) return bpf
  const loaded = loadObject(bpf.value, options.objectPath, options.pinRoot, options.tableSizes ?? {})
  if (!loaded.known) return loaded
  const started = start(bpf.value, loaded.value, options)
  if (!started.known) bpf.value.closeObject(loaded.value.object)
  return started
}

function start(bpf: Libbpf, loaded: Loaded, options: EbpfDriverOptions): Observed<EbpfDriver> {
  const { maps, capacity } = loaded
  const rules = openRegistry<RuleRef>(bpf, maps.rule_names, layout.ruleName.value, capacity.rules)
  if (!rules.known) return rules
  const endpoints = openRegistry<EndpointId>(bpf, maps.endpoint_names, layout.endpointName.value, capacity.endpoints)
  if (!endpoints.known) return endpoints
  const names: Names = { rules: rules.value, endpoints: endpoints.value }
  const kernel = { bpf, loaded, names }
  const control = readControl(bpf, loaded)
  if (!control.known) return control
  const tickNs = bpf.tickNs()
  if (tickNs === null) return unknown('the length of a tick of the kernel cannot be read')
  if (control.value.mark === 0 || control.value.tickNs !== tickNs) {
    const mark = control.value.mark === 0 ? randomInt(1, 2 ** 32) : control.value.mark
    const failed = setControl(kernel, { ...control.value, mark, tickNs })
    if (failed !== null) return unknown(failed)
  }
  // no tenant takes more than a quarter of the table of established connections
  const most = Math.max(1, Math.floor(capacity.connections / 4))
  if (bpf.update(maps.zones, renderKey(0), renderKey(most)) < 0) return unknown('the share of a zone cannot be set')
  const records: Buffer[] = []
  const ring = bpf.openRing(maps.events, (record) => records.push(Buffer.from(record)))
  if (typeof ring === 'number') return unknown(`the ring buffer cannot be opened (errno ${-ring})`)
  const gatewayNames = openRegistry<string>(bpf, maps.gateway_names, layout.gatewayName.value, gatewayCapacity)
  if (!gatewayNames.known) return gatewayNames
  const gateways = createGateways(bpf, loaded, names.rules, gatewayNames.value)
  const reconciler = createReconcile(kernel, gateways)

  return known({
    reconcile: (plan, attachments, inspection) => reconciler.reconcile(plan, attachments, inspection),
    verify: () => reconciler.verify(),
    probeGateways: () => gateways.probe(),
    inspect: (plan, attachments) => reconciler.inspect(plan, attachments),
    readCounters: () => readRuleCounters(kernel),
    readDrops: () => readDrops(kernel),
    pollEvents(onEvent) {
      const read = ring.consume()
      if (read < 0) return unknown(`the ring buffer cannot be read (errno ${-read})`)
      const context = { host: options.host, names, now: options.now(), monotonicNs: process.hrtime.bigint() }
      for (const record of records.splice(0)) {
        const event = decodeEvent(record, context)
        if (event !== null) onEvent(event)
      }
      return known(read)
    },
    collectExpired() {
      const context = Buffer.alloc(8)
      const result = bpf.run(loaded.programs.collect, context)
      if (result < 0) return unknown(`expired connections cannot be collected (errno ${-result})`)
      return known(Number(context.readBigUInt64LE(0)))
    },
    exportConnections: (ids) => exportConnections(kernel, ids),
    importConnections: (plan, ids, carried) => importConnections(kernel, plan, ids, carried),
    close() {
      ring.close()
      reconciler.close()
      bpf.closeObject(loaded.object)
    },
  })
}
