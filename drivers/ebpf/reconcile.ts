/**
 * From plan and attachments to the kernel, in an order in which each instant fails closed: endpoints that must go are closed first, filters are attached
 * before anything opens, tables change at once by generation, and an endpoint opens last.
 */
import { known, type EndpointId, type HostPlan, type Observed } from '@hyperward/model'

import { fillSlot, runSteps, setControl, type Kernel } from './apply.ts'
import { toDesired, type Attachment, type EndpointRow, type Tables } from './desired.ts'
import { diff, isEmpty, stepCount, type Current, type Difference } from './diff.ts'
import { noInspection, type Gateways, type Inspection } from './gateways.ts'
import { createHooks } from './hooks.ts'
import { openTables, readControl, readEndpoints, readTables } from './observe.ts'
import { tableNames, type TableName } from './names.ts'
import { toRealized, type Realized } from './realized.ts'

export interface ReconcileReport {
  readonly outcome: 'unchanged' | 'applied' | 'failed'
  readonly reason: string | null
  readonly steps: number
  /** `swapped` = the tables were filled anew and taken into use at once. */
  readonly generation: 'kept' | 'swapped'
  readonly ms: number
  readonly endpoints: readonly EndpointReport[]
}

export interface EndpointReport {
  readonly endpoint: EndpointId
  readonly device: string
  readonly state: 'enforced' | 'closed'
  readonly reason: string | null
}

interface Reconciler {
  reconcile(
    plan: HostPlan | null,
    attachments: readonly Attachment[],
    inspection?: Inspection,
  ): Promise<ReconcileReport>
  verify(): Promise<Observed<{ readonly drift: readonly string[] }>>
  inspect(plan: HostPlan | null, attachments: readonly Attachment[]): Promise<Observed<Realized>>
  close(): void
}

type TableFds = Readonly<Record<TableName, number>>

export function createReconcile(kernel: Kernel, gateways: Gateways): Reconciler {
  const { bpf, loaded, names } = kernel
  const hooks = createHooks(bpf, loaded, { ingress: loaded.programs.from_vm, egress: loaded.programs.to_vm })
  /** What the kernel holds; null = must be read first. */
  let current: Current | null = null
  let tables: TableFds | null = null
  let attached = new Set<number>()
  let last: { readonly plan: HostPlan | null; readonly attachments: readonly Attachment[] } | null = null
  let queue: Promise<unknown> = Promise.resolve()

  function reconcile(
    plan: HostPlan | null,
    attachments: readonly Attachment[],
    inspection: Inspection = noInspection,
  ): Promise<ReconcileReport> {
    const begun = performance.now()
    const result = queue.then(async () => {
      const outcome = await round(plan, attachments, inspection)
      if (outcome.report.outcome === 'failed') {
        // half done is not known: the next round reads back and fills anew
        current = null
        last = null
      }
      return { ...outcome.report, ms: performance.now() - begun }
    })
    queue = result.catch(() => undefined)
    return result
  }

  async function round(
    plan: HostPlan | null,
    attachments: readonly Attachment[],
    inspection: Inspection,
  ): Promise<{ report: ReconcileReport }> {
    const wanted = toDesired(plan, attachments)
    const refused = new Map<number, string>()
    const report = (
      outcome: ReconcileReport['outcome'],
      reason: string | null,
      steps = 0,
      generation: ReconcileReport['generation'] = 'kept',
    ): { report: ReconcileReport } => ({
      report: {
        outcome,
        reason,
        steps,
        generation,
        ms: 0,
        endpoints: attachments.map(({ endpoint, device, ifindex }) => {
          const why =
            outcome === 'failed' ? reason : (refused.get(ifindex) ?? wanted.closedBecause.get(ifindex) ?? null)
          return { endpoint, device, state: why === null ? 'enforced' : 'closed', reason: why }
        }),
      },
    })
    const read = readCurrent()
    if (typeof read === 'string') return report('failed', read)
    // rules learn their gateways before they are in force
    const steering = await gateways.apply(plan, inspection, new Set(wanted.endpoints.keys()))
    if (steering !== null) return report('failed', steering)
    const ports = gateways.ports()
    if (!ports.known) return report('failed', ports.reason)
    const hooked = hooks.known()
    // taps that carry a filter of ours, and are not known, could not be let go
    if (!hooked.known) return report('failed', hooked.reason)
    const gone = [...new Set([...hooked.value, ...read.endpoints.keys()])].filter(
      (ifindex) => !wanted.endpoints.has(ifindex) && !ports.value.has(ifindex),
    )
    const fresh = attachments.filter(({ ifindex }) => !attached.has(ifindex))
    // without a plan the tables stay as they are: every endpoint is closed, which needs none
    const desired = { tables: plan === null ? read.tables : wanted.tables, endpoints: wanted.endpoints }
    const difference = diffOrClose(read, desired)
    if (isEmpty(difference) && gone.length === 0 && fresh.length === 0) return report('unchanged', null)

    const closing = runSteps(kernel, tables, difference.close)
    if (closing !== null) return report('failed', closing)
    for (const { ifindex, device } of fresh) {
      const failed = await hooks.attach(ifindex, device)
      if (failed === null) attached.add(ifindex)
      else refused.set(ifindex, failed)
    }
    // what lacks a filter is closed for the other one
    const mustClose = [...refused.keys()].map((ifindex) => ({ kind: 'remove-endpoint' as const, ifindex }))
    const refusing = runSteps(kernel, tables, mustClose)
    if (refusing !== null) return report('failed', refusing)
    const changed = desired.tables === null ? 'kept' : changeTables(difference, desired.tables)
    if (changed !== 'kept' && changed !== 'swapped') return report('failed', changed.reason)
    const opening = runSteps(
      kernel,
      tables,
      difference.open.filter((step) => !refused.has(step.row.ifindex)),
    )
    if (opening !== null) return report('failed', opening)
    for (const ifindex of gone) {
      const failed = await hooks.detach(ifindex)
      attached.delete(ifindex)
      if (failed !== null) return report('failed', failed)
    }
    const endpoints = new Map<number, EndpointRow>(wanted.endpoints)
    for (const ifindex of refused.keys()) endpoints.delete(ifindex)
    current = { tables: desired.tables, endpoints }
    last = { plan, attachments }
    const steps = stepCount(difference) + difference.rebuild.length + gone.length + fresh.length
    return report('applied', [...refused.values()][0] ?? null, steps, changed)
  }

  /** What this process knows to be there, else what the kernel says. */
  function readCurrent(): Current | string {
    if (current !== null) return current
    const endpoints = readEndpoints(bpf, loaded, names)
    if (!endpoints.known) return endpoints.reason
    for (const ifindex of endpoints.value.nameless) {
      const failed = runSteps(kernel, tables, [{ kind: 'remove-endpoint', ifindex }])
      if (failed !== null) return failed
    }
    const control = readControl(bpf, loaded)
    if (!control.known) return control.reason
    closeTables()
    let readBack: Tables | null = null
    if (control.value.epoch > 0n) {
      const opened = openTables(bpf, loaded, control.value.slot)
      if (opened.known) {
        const content = readTables(bpf, opened.value, names)
        tables = opened.value
        // unreadable tables are not believed to be anything: all sections are filled anew
        readBack = content.known ? content.value : null
      }
    }
    current = { tables: readBack, endpoints: endpoints.value.rows }
    return current
  }

  function changeTables(difference: Difference, desired: Tables): 'kept' | 'swapped' | { readonly reason: string } {
    if (difference.rebuild.length === 0 && difference.steps.length + difference.clear.length === 0) return 'kept'
    const control = readControl(bpf, loaded)
    if (!control.known) return { reason: control.reason }
    const { slot, epoch, mark, tickNs } = control.value
    if (difference.rebuild.length === 0 && tables !== null) {
      const failed =
        runSteps(kernel, tables, difference.steps) ??
        setControl(kernel, { slot, epoch: epoch + 1n, mark, tickNs }) ??
        runSteps(kernel, tables, difference.clear)
      // a table without room in place: all anew has room
      if (failed === null) return 'kept'
    }
    const sections = difference.rebuild.length > 0 ? difference.rebuild : allSections
    const filled = fillSlot(kernel, { slot, tables }, desired, sections)
    if (typeof filled === 'string') return { reason: filled }
    const failed = setControl(kernel, { slot: filled.slot, epoch: epoch + 1n, mark, tickNs })
    if (failed !== null) return { reason: failed }
    const old = tables
    tables = filled.tables
    if (old !== null) {
      for (const table of tableNames) if (old[table] !== tables[table]) bpf.closeFd(old[table])
    }
    return 'swapped'
  }

  async function verify(): Promise<Observed<{ readonly drift: readonly string[] }>> {
    const checked = queue.then(() => compare())
    queue = checked.catch(() => undefined)
    return checked
  }

  function compare(): Observed<{ readonly drift: readonly string[] }> {
    const before = current
    if (before === null || last === null) return known({ drift: [] })
    const drift: string[] = []
    for (const { ifindex, device } of last.attachments) {
      const found = hooks.check(ifindex)
      if (found === null) continue
      attached.delete(ifindex)
      drift.push(`${device}: ${found}`)
    }
    drift.push(...gateways.drift())
    current = null
    const read = readCurrent()
    if (typeof read === 'string') return { known: false, reason: read }
    const difference =
      before.tables === null ? null : diffOrClose(read, { tables: before.tables, endpoints: before.endpoints })
    if (difference === null || isEmpty(difference)) {
      current = before
      return known({ drift })
    }
    for (const section of difference.rebuild) drift.push(`table ${section} differs`)
    for (const step of [...difference.steps, ...difference.clear]) drift.push(`tables differ: ${step.kind}`)
    for (const step of difference.close) drift.push(`endpoint at ifindex ${step.ifindex} is not ours to have`)
    for (const step of difference.open) drift.push(`endpoint at ifindex ${step.row.ifindex} differs`)
    return known({ drift })
  }

  /** Waits for its turn, so that no table is read half changed. */
  function inspect(plan: HostPlan | null, attachments: readonly Attachment[]): Promise<Observed<Realized>> {
    const read = queue.then(() => readRealized(plan, attachments))
    queue = read.catch(() => undefined)
    return read
  }

  function readRealized(plan: HostPlan | null, attachments: readonly Attachment[]): Observed<Realized> {
    const wanted = toDesired(plan, attachments)
    const endpoints = readEndpoints(bpf, loaded, names)
    if (!endpoints.known) return endpoints
    const control = readControl(bpf, loaded)
    if (!control.known) return control
    const found = control.value.epoch === 0n ? known(null) : readLoaded(control.value.slot)
    if (!found.known) return found
    const withHooks = attachments.flatMap(({ endpoint, device, ifindex }) => {
      const row = wanted.endpoints.get(ifindex)
      return row === undefined ? [] : [{ endpoint, device, row, hook: hooks.check(ifindex) }]
    })
    return known(
      toRealized(
        { tables: wanted.tables, endpoints: withHooks },
        { tables: found.value, endpoints: endpoints.value.rows },
      ),
    )
  }

  function readLoaded(slot: 0 | 1): Observed<Tables> {
    const opened = openTables(bpf, loaded, slot)
    if (!opened.known) return opened
    const read = readTables(bpf, opened.value, names)
    for (const table of tableNames) bpf.closeFd(opened.value[table])
    return read
  }

  function closeTables(): void {
    if (tables !== null) for (const table of tableNames) bpf.closeFd(tables[table])
    tables = null
  }

  return { reconcile, verify, inspect, close: closeTables }
}

const allSections = ['addresses', 'networks', 'services', 'verdicts'] as const

/** Without tables to compare (no plan, nothing loaded) only the endpoints are. */
function diffOrClose(
  current: Current,
  desired: { readonly tables: Tables | null; readonly endpoints: ReadonlyMap<number, EndpointRow> },
): Difference {
  const { tables, endpoints } = desired
  if (tables !== null) return diff(current, { tables, endpoints })
  const none = diff({ tables: null, endpoints: current.endpoints }, { tables: emptyDesired, endpoints })
  return { ...none, rebuild: [] }
}

const emptyDesired: Tables = {
  addresses: [],
  networks: [],
  services: [],
  verdicts: [],
  rules: new Map(),
  owners: new Map(),
}
