/**
 * A small model of what the engine drives: devices, a datapath that attaches programs by plan, and doors. It watches every change: a door that is open on a
 * device whose program does not enforce is a leak.
 */
import type { EndpointId, HostPlan, Observed } from '@hyperward/model'

import type { EngineDatapath } from '../enforce/engine-datapath.ts'
import type { Attachment, DatapathReport, Door } from '../enforce/enforcer.ts'
import type { TapLink } from '../taps/tap.ts'

export interface KernelModel {
  readonly datapath: EngineDatapath
  readonly door: Door
  /** Names to indexes of the devices that exist. */
  readonly devices: Map<string, number>
  /** ifindex → endpoint, of devices whose program enforces a plan. */
  readonly enforced: Map<number, EndpointId>
  readonly open: Set<number>
  readonly leaks: string[]
  /** Every call that changed something, in order. */
  readonly changes: string[]
  plan: HostPlan | null
  failReconcile: string | null
  refuseEndpoint: EndpointId | null
  failOpen: boolean
  doorsUnreadable: boolean
  drift: string[]
  isSameLink(link: TapLink): Promise<boolean>
}

export function createKernelModel(): KernelModel {
  const model: KernelModel = {
    devices: new Map(),
    enforced: new Map(),
    open: new Set(),
    leaks: [],
    changes: [],
    plan: null,
    failReconcile: null,
    refuseEndpoint: null,
    failOpen: false,
    doorsUnreadable: false,
    drift: [],
    isSameLink: async (link) => model.devices.get(link.device) === link.ifindex,
    datapath: {
      reconcile: async (plan, attachments) => reconcile(plan, attachments),
      verify: async () => ({ known: true, value: { drift: model.drift.splice(0) } }),
      probeGateways: () => ({ known: true, value: [] }),
      inspect: async (plan, attachments) => ({
        known: true,
        value: {
          endpoints: attachments.map(({ endpoint, device, ifindex }) => ({
            endpoint,
            device,
            rows: plan?.sections.verdicts.length ?? 0,
            findings: model.enforced.get(ifindex) === endpoint ? [...model.drift] : ['not enforced'],
          })),
          tables: [],
        },
      }),
      readCounters: () => ({ known: true, value: [] }),
      pollEvents: () => ({ known: true, value: 0 }),
      collectExpired: () => ({ known: true, value: 0 }),
      exportConnections: (endpoints) => ({ known: true, value: Buffer.from(`of ${endpoints.join(' ')}`) }),
      importConnections: (_plan, endpoints, carried) => {
        changed(`carried in for ${endpoints.join(' ')}: ${carried.toString()}`)
        return { known: true, value: 1 }
      },
    },
    door: {
      openIndexes: async (): Promise<Observed<ReadonlySet<number>>> =>
        model.doorsUnreadable ? { known: false, reason: 'nft is gone' } : { known: true, value: new Set(model.open) },
      open: async (ifindex) => {
        if (model.failOpen) throw new Error('nft said no')
        model.open.add(ifindex)
        changed(`open ${ifindex}`)
      },
      close: async (ifindex) => {
        model.open.delete(ifindex)
        changed(`close ${ifindex}`)
      },
    },
  }

  function changed(what: string): void {
    model.changes.push(what)
    for (const ifindex of model.open) if (!model.enforced.has(ifindex)) model.leaks.push(`${ifindex} after ${what}`)
  }

  function reconcile(plan: HostPlan | null, attachments: readonly Attachment[]): DatapathReport {
    if (model.failReconcile !== null) {
      return { outcome: 'failed', reason: model.failReconcile, steps: 0, endpoints: [] }
    }
    const planned = new Set(plan?.sections.endpoints.map((endpoint) => endpoint.id))
    const wanted = new Map<number, EndpointId>()
    for (const { endpoint, ifindex, device } of attachments) {
      if (model.devices.get(device) !== ifindex)
        throw new Error(`asked to attach to ${device}, which is another device`)
      // what is attached stays attached: only a new attachment can be refused
      const refused = endpoint === model.refuseEndpoint && model.enforced.get(ifindex) !== endpoint
      if (planned.has(endpoint) && !refused) wanted.set(ifindex, endpoint)
    }
    let steps = model.plan?.digest === plan?.digest ? 0 : 1
    model.plan = plan
    for (const ifindex of model.enforced.keys()) {
      if (wanted.has(ifindex)) continue
      model.enforced.delete(ifindex)
      steps += 1
      changed(`detach ${ifindex}`)
    }
    for (const [ifindex, endpoint] of wanted) {
      if (model.enforced.get(ifindex) === endpoint) continue
      model.enforced.set(ifindex, endpoint)
      steps += 1
      changed(`attach ${ifindex}`)
    }
    const endpoints = attachments.map(({ endpoint, device, ifindex }) => {
      const enforced = wanted.has(ifindex)
      const reason = enforced ? null : planned.has(endpoint) ? 'attach-failed' : 'no-plan'
      return { endpoint, device, state: enforced ? ('enforced' as const) : ('closed' as const), reason }
    })
    return { outcome: steps > 0 ? 'applied' : 'unchanged', reason: null, steps, endpoints }
  }

  return model
}
