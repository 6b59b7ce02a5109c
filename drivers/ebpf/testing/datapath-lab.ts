/** For tests: a host with a bridge, namespace endpoints on it, and the driver acting in it. */
import { join } from 'node:path'

import { addHostNetns, addNamespaceEndpoint, createLab, type Lab, type NamespaceEndpoint } from '@hyperward/testkit'
import { execOk } from '@hyperward/os'
import type { DatapathEvent, RuleCounter } from '@hyperward/model'

import { createEbpfDriver, type Attachment, type EbpfDriver, type TableSizes } from '../index.ts'
import { endpointId, macOf, planHost } from '@hyperward/datapath-testkit'
import { enterNetns } from '@hyperward/datapath-testkit'
import { ifindexOf } from '@hyperward/datapath-testkit'

export const objectPath = join(import.meta.dirname, '../../../dist/bpf/endpoint.bpf.o')

export interface DatapathLab {
  readonly lab: Lab
  readonly host: string
  readonly bridge: number
  readonly pinRoot: string
  readonly driver: EbpfDriver
  /** A new driver on the same pins, as after a restart; the old one is closed. */
  restart(): EbpfDriver
  addEndpoint(number: number, addresses: readonly string[]): Promise<LabEndpoint>
  events(): DatapathEvent[]
  counters(): Promise<readonly RuleCounter[]>
  close(): Promise<void>
}

export interface LabEndpoint {
  readonly number: number
  readonly namespace: NamespaceEndpoint
  readonly ifindex: number
  /** `direct`: on the bridge's segment; else never handed over directly. */
  attachment(delivery?: 'direct' | 'bridge'): Attachment
}

export async function createDatapathLab(prefix: string, tableSizes: TableSizes = {}): Promise<DatapathLab> {
  await execOk(join(import.meta.dirname, '../../../scripts/build-bpf'), [])
  const lab = await createLab({ prefix })
  try {
    const host = await addHostNetns(lab)
    const pinRoot = join(lab.dir, 'bpf')
    await execOk('mkdir', ['-p', pinRoot])
    lab.record({ kind: 'mount', path: pinRoot })
    await execOk('mount', ['-t', 'bpf', 'bpf', pinRoot])
    const leave = enterNetns(host)
    const open = (): EbpfDriver => {
      const created = createEbpfDriver({ objectPath, pinRoot, host: planHost, now: () => new Date(), tableSizes })
      if (!created.known) throw new Error(created.reason)
      return created.value
    }
    let driver = open()
    const bridge = ifindexOf(host, 'br0')
    return {
      lab,
      host,
      bridge,
      pinRoot,
      get driver() {
        return driver
      },
      restart() {
        driver.close()
        driver = open()
        return driver
      },
      async addEndpoint(number, addresses) {
        const namespace = await addNamespaceEndpoint(lab, { name: `v${number}`, mac: macOf(number), addresses, host })
        const ifindex = ifindexOf(host, namespace.tap)
        return {
          number,
          namespace,
          ifindex,
          attachment: (delivery = 'direct') => ({
            endpoint: endpointId(number),
            ifindex,
            device: namespace.tap,
            segment: delivery === 'direct' ? bridge : 0,
          }),
        }
      },
      events() {
        const events: DatapathEvent[] = []
        const read = driver.pollEvents((event) => events.push(event))
        if (!read.known) throw new Error(read.reason)
        return events
      },
      async counters() {
        const read = driver.readCounters()
        if (!read.known) throw new Error(read.reason)
        return read.value
      },
      async close() {
        driver.close()
        leave()
        await lab.close()
      },
    }
  } catch (error) {
    await lab.close()
    throw error
  }
}
