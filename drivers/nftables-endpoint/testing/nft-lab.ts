/** For tests: a host with a bridge, namespace endpoints on it, and the driver acting in it. */
import { endpointId, enterNetns, ifindexOf, macOf, planHost, type LabEndpoint } from '@hyperward/datapath-testkit'
import type { DatapathEvent, RuleCounter } from '@hyperward/model'
import { addHostNetns, addNamespaceEndpoint, createLab, type Lab } from '@hyperward/testkit'

import { createNftablesDriver, type NftablesDriver } from '../index.ts'

export interface NftLab {
  readonly lab: Lab
  readonly host: string
  readonly driver: NftablesDriver
  /** A new driver in the same namespace, as after a restart. */
  restart(): NftablesDriver
  addEndpoint(number: number, addresses: readonly string[]): Promise<LabEndpoint>
  events(): DatapathEvent[]
  counters(): Promise<readonly RuleCounter[]>
  close(): Promise<void>
}

export async function createNftLab(prefix: string): Promise<NftLab> {
  const lab = await createLab({ prefix })
  try {
    const host = await addHostNetns(lab)
    const leave = enterNetns(host)
    const open = (): NftablesDriver => {
      const opened = createNftablesDriver({ host: planHost, now: () => new Date() })
      // from now on what is told is heard
      opened.pollEvents(() => undefined)
      return opened
    }
    let driver = open()
    const bridge = ifindexOf(host, 'br0')
    return {
      lab,
      host,
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
          // there is no other way than the bridge
          attachment: () => ({ endpoint: endpointId(number), ifindex, device: namespace.tap, segment: bridge }),
        }
      },
      events() {
        const events: DatapathEvent[] = []
        const read = driver.pollEvents((event) => events.push(event))
        if (!read.known) throw new Error(read.reason)
        return events
      },
      async counters() {
        await driver.refreshCounters()
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
